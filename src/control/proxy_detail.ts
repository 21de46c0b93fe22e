/**
 * What a proxy tells of itself at length: commands, clients, slow requests, connections to servers.
 *
 * @module
 */

import type { CommandFigures, ProxyCommands, ProxyDetail } from "../api/detail_view.ts";
import type { ClientsAnswer, ClientsQuery } from "../api/proxy_clients.ts";
import type { HotKeysAnswer } from "../api/hot_keys.ts";
import type { SlowLogAnswer } from "../api/slow_log.ts";
import type { Secret } from "../base/secret.ts";
import type { ConfigView } from "../config/config_view.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { StoreError } from "../store/store.ts";
import { askPrivately, askProxy, causeOfFetch, proxyVars } from "./proxies.ts";

/**
 * What the page shows of one proxy.
 *
 * @throws {StoreError} When it does not answer; the message says why.
 */
export async function proxyDetail(proxy: ProxyRecord): Promise<ProxyDetail> {
  return await answered(proxy, async () => {
    const [answer, vars, own] = await Promise.all([
      askProxy(proxy),
      proxyVars(proxy) as Promise<ProxyVars>,
      askPrivately<ProxyCommands>(proxy, "/commands"),
    ]);
    return {
      at: Date.now(),
      commands: own?.commands ?? codis2Commands(vars),
      backends: answer.kind === "ours" ? answer.stats.backends : [],
      command_line: vars.cmdline ?? [],
    };
  });
}

/** The part of `/debug/vars` that is used here. */
interface ProxyVars {
  readonly cmdline?: readonly string[];
  readonly router?: {
    readonly cmds?: readonly { cmd: string; calls: number; usecs: number }[];
  };
}

function codis2Commands({ router }: ProxyVars): CommandFigures[] {
  return (router?.cmds ?? []).map(({ cmd, calls, usecs }) => ({
    ...{ name: cmd.toLowerCase(), calls, usecs, failed: null },
    ...{ p50_usecs: null, p99_usecs: null },
  }));
}

/**
 * Some of its clients.
 *
 * @throws {StoreError} When it does not answer, or does not tell us; the message says why.
 */
export async function proxyClients(
  proxy: ProxyRecord,
  { search, by, isReversed, limit }: ClientsQuery,
  token: Secret | undefined,
): Promise<ClientsAnswer> {
  const query = new URLSearchParams({ search, by, limit: `${limit}` });
  if (isReversed) query.set("reversed", "yes");
  const answer = await answered(
    proxy,
    () => askPrivately<ClientsAnswer>(proxy, `/clients?${query}`, token),
  );
  if (answer === undefined) {
    throw new StoreError(`proxy ${proxy.id} is too old to list its clients`);
  }
  return answer;
}

/**
 * The configuration that it runs with.
 *
 * @throws {StoreError} When it does not answer, or does not tell us; the message says why.
 */
export async function proxyConfig(
  proxy: ProxyRecord,
  token: Secret | undefined,
): Promise<ConfigView> {
  const answer = await answered(proxy, () => askPrivately<ConfigView>(proxy, "/config", token));
  if (answer === undefined) {
    throw new StoreError(`proxy ${proxy.id} is too old to tell its configuration`);
  }
  return answer;
}

/**
 * The slow requests of a proxy; those of an older one are not known.
 *
 * @throws {Error} When it does not answer, or does not tell us; the message says why.
 */
export async function askSlowLog(proxy: ProxyRecord, token?: Secret): Promise<SlowLogAnswer> {
  const answer = await askPrivately<SlowLogAnswer>(proxy, "/slowlog", token);
  if (answer === undefined) throw new Error("it is too old to tell its slow requests");
  return answer;
}

/**
 * The hot and big keys of a proxy's clients; those of an older one are not known.
 *
 * @throws {Error} When it does not answer, or does not tell us; the message says why.
 */
export async function askHotKeys(proxy: ProxyRecord, token?: Secret): Promise<HotKeysAnswer> {
  const answer = await askPrivately<HotKeysAnswer>(proxy, "/hotkeys", token);
  if (answer === undefined) throw new Error("it is too old to tell its hot keys");
  return answer;
}

async function answered<T>({ id }: ProxyRecord, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw new StoreError(`proxy ${id} does not answer: ${causeOfFetch(error)}`);
  }
}

/** What several proxies have answered, and why the others have not. */
export interface ProxyAnswers<T> {
  readonly answers: readonly { readonly proxy_id: string; readonly answer: T }[];
  readonly problems: readonly { readonly proxy_id: string; readonly problem: string }[];
}

/** Asks several proxies the same, all at once. */
export async function askProxies<T>(
  proxies: readonly ProxyRecord[],
  ask: (proxy: ProxyRecord) => Promise<T>,
): Promise<ProxyAnswers<T>> {
  const answers: { proxy_id: string; answer: T }[] = [];
  const problems: { proxy_id: string; problem: string }[] = [];
  await Promise.all(proxies.map(async (proxy) => {
    try {
      answers.push({ proxy_id: proxy.id, answer: await ask(proxy) });
    } catch (error) {
      problems.push({ proxy_id: proxy.id, problem: causeOfFetch(error) });
    }
  }));
  return { answers, problems };
}
