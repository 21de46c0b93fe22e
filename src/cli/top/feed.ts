/**
 * What the screen shows, asked for again and again: the cluster each time, the rest now and then.
 *
 *     cluster ─► open outages ─► slow requests, commands of a proxy, as far as they are looked at
 *        └─ no answer: what was known stays, with the reason and since when
 *
 * @module
 */

import type { HotKeysOfAll, SlowRequestsAnswer } from "../../api/answers.ts";
import type { ClusterView } from "../../api/cluster_view.ts";
import type { DashboardClient } from "../../api/dashboard_client.ts";
import { DashboardError, DashboardUnreachableError } from "../../api/dashboard_errors.ts";
import type { OutageEvent } from "../../model/outage_event.ts";

/** What of slow requests and outages is asked for at most. */
const ENTRIES_MAX = 100;
/** What is not looked at is asked for every so many times. */
const SELDOM = 3;
/** Answers that take longer are missed, in milliseconds. */
const LATE_MS = 3_000;
const NOT_FOR_VIEWERS = "only operators and admins see what clients have sent";
/** HTTP's words for a token that is wrong, and for one that may not do this. */
const REFUSED: readonly number[] = [401, 403];

/** A slow request, and the proxy that served it. */
export type ProxySlowRequest = NonNullable<SlowRequestsAnswer["entries"]>[number];

/** What a proxy has served of one command. */
export interface CommandRate {
  readonly command: string;
  /** Since the proxy started. */
  readonly calls: number;
  /** Since it was last asked; null: it was asked once. */
  readonly per_second: number | null;
  /** Mean time of one, in microseconds. */
  readonly usecs: number;
}

/** What is shown. */
export interface TopData {
  readonly view: ClusterView;
  /** Outages that have not ended. */
  readonly open: readonly OutageEvent[];
  /** Newest first. */
  readonly events: readonly OutageEvent[];
  /** Newest first. */
  readonly slow: readonly ProxySlowRequest[];
  /** Why slow requests are not all there; `""`: they are. */
  readonly slowProblem: string;
  /** Hot and big keys; undefined: nobody has looked at them. */
  readonly keys: HotKeysOfAll | undefined;
  /** Why keys are not all there; `""`: they are. */
  readonly keysProblem: string;
  /** Commands of the proxy that is looked into. */
  readonly commands: { readonly proxy: string; readonly rates: readonly CommandRate[] } | undefined;
  /** Why there is no new answer, and when the last one came, in Unix milliseconds. */
  readonly lost: { readonly problem: string; readonly since: number } | undefined;
}

/** What somebody looks at. */
export interface Attention {
  readonly isOnSlow: boolean;
  readonly isOnKeys: boolean;
  /** The proxy that is looked into. */
  readonly proxy: string | undefined;
}

/** How often a proxy has served each command, by Codis 2.0's `/debug/vars`. */
type Counts = ReadonlyMap<string, { readonly calls: number; readonly usecs: number }>;

/** See the header. */
export class TopFeed {
  readonly #client: DashboardClient;
  #asked = 0;
  /** When the last answer came, in Unix milliseconds. */
  #answeredAt = 0;
  /** Why the newest question was not answered; `""`: it was, or is under way. */
  #problem = "";
  #data: TopData | undefined;
  #counts: { readonly proxy: string; readonly atMs: number; readonly counts: Counts } | undefined;

  /** Asks nothing yet. */
  constructor(client: DashboardClient) {
    this.#client = client;
  }

  /**
   * Asks once. What is not answered is left as it was, once there was an answer.
   *
   * @throws {Error} When the first question is not answered, or the dashboard refuses to answer us.
   */
  async ask(attention: Attention): Promise<void> {
    const isRare = this.#asked++ % SELDOM === 0;
    try {
      this.#data = await this.#askAll(attention, isRare);
      this.#answeredAt = Date.now();
      this.#problem = "";
    } catch (error) {
      if (this.#data === undefined || isRefusal(error) || !isNoAnswer(error)) throw error;
      this.#problem = error.message;
    }
  }

  /** What is known; there is nothing before the first answer. */
  get data(): TopData {
    const since = this.#answeredAt;
    const isLate = Date.now() - since > LATE_MS;
    if (this.#problem === "" && !isLate) return this.#data!;
    const problem = this.#problem || `dashboard ${this.#client.address} is being asked`;
    return { ...this.#data!, lost: { problem, since } };
  }

  async #askAll({ isOnSlow, isOnKeys, proxy }: Attention, isRare: boolean): Promise<TopData> {
    const before = this.#data;
    const view = await this.#client.cluster();
    const { events, open } = isRare || before === undefined
      ? await this.#client.events({ limit: ENTRIES_MAX })
      : before;
    // Who may only look is not shown what clients have sent, and each refusal is noted.
    const maySeeSlow = view.you === undefined || view.you.role !== "viewer";
    const { slow, slowProblem } = !maySeeSlow
      ? { slow: [], slowProblem: NOT_FOR_VIEWERS }
      : before === undefined || isRare || isOnSlow
      ? await this.#askSlow()
      : before;
    const { keys, keysProblem } = !maySeeSlow
      ? { keys: undefined, keysProblem: NOT_FOR_VIEWERS }
      : isOnKeys
      ? await this.#askKeys()
      : before ?? { keys: undefined, keysProblem: "" };
    const commands = proxy === undefined ? undefined : await this.#askCommands(proxy);
    return {
      ...{ view, events: events ?? [], open: open ?? [] },
      ...{ slow, slowProblem, keys, keysProblem, commands, lost: undefined },
    };
  }

  async #askSlow(): Promise<Pick<TopData, "slow" | "slowProblem">> {
    try {
      const { entries, problems } = await this.#client.slowRequests(ENTRIES_MAX);
      const silent = (problems ?? []).map(({ proxy_id, problem }) => `${proxy_id}: ${problem}`);
      return { slow: entries ?? [], slowProblem: silent.join("; ") };
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      return { slow: this.#data?.slow ?? [], slowProblem: error.message };
    }
  }

  async #askKeys(): Promise<Pick<TopData, "keys" | "keysProblem">> {
    try {
      const keys = await this.#client.hotKeys(ENTRIES_MAX);
      const silent = (keys.problems ?? []).map(({ proxy_id, problem }) =>
        `${proxy_id}: ${problem}`
      );
      const off = keys.is_on ? [] : ["hot_key_samples is 0: keys are not looked at"];
      return { keys, keysProblem: [...off, ...silent].join("; ") };
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      return { keys: this.#data?.keys, keysProblem: error.message };
    }
  }

  async #askCommands(proxy: string): Promise<TopData["commands"]> {
    const before = this.#counts?.proxy === proxy ? this.#counts : undefined;
    let counts: Counts;
    try {
      counts = countsOf((await this.#client.proxyDebugVars())[proxy]);
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      return { proxy, rates: [] };
    }
    const atMs = performance.now();
    this.#counts = { proxy, atMs, counts };
    const seconds = before === undefined ? null : (atMs - before.atMs) / 1000;
    const rates = [...counts].map(([command, { calls, usecs }]): CommandRate => {
      const old = before?.counts.get(command)?.calls ?? 0;
      // After a restart it counts from 0 on.
      const per_second = seconds === null ? null : Math.max(0, calls - old) / seconds;
      return { command, calls, per_second, usecs: calls === 0 ? 0 : usecs / calls };
    });
    return { proxy, rates };
  }
}

function isNoAnswer(error: unknown): error is Error {
  return error instanceof DashboardError || error instanceof DashboardUnreachableError;
}

function isRefusal(error: unknown): boolean {
  return error instanceof DashboardError && REFUSED.includes(error.status);
}

/** The counters of commands; Codis 2.0's proxies may have others. */
function countsOf(vars: unknown): Counts {
  const { router } = (vars ?? {}) as { router?: { cmds?: unknown } };
  const cmds = Array.isArray(router?.cmds) ? router.cmds as Record<string, unknown>[] : [];
  return new Map(
    cmds.map(({ cmd, calls, usecs }) => [
      String(cmd),
      { calls: Number(calls) || 0, usecs: Number(usecs) || 0 },
    ]),
  );
}
