/**
 * The route of hot and big keys, of all proxies.
 *
 * @module
 */

import { type HotKeysAnswer, sumHotKeyAnswers } from "../../api/hot_keys.ts";
import { causeOfFetch } from "../../control/proxies.ts";
import { InputError } from "../../control/errors.ts";
import { askHotKeys } from "../../control/proxy_detail.ts";
import { loadProxies } from "../../store/proxies.ts";
import { integerOfText } from "../input.ts";
import type { Dashboard } from "../dashboard.ts";
import { type ApiRoute, type Call, read } from "./route.ts";

/** Keys of an answer at most, of either kind. */
const KEYS_MAX = 1_000;
const SLOT_MAX = 1023;

/** See the header. The names of keys are not for everybody who may look at the cluster. */
export const HOTKEYS_ROUTES: readonly ApiRoute[] = [read("/api/hotkeys", hotKeys, "operator")];

async function hotKeys({ dashboard, url: { searchParams } }: Call): Promise<unknown> {
  const limit = integerOfText("limit", searchParams.get("limit") ?? "100", 1, KEYS_MAX);
  const slotText = searchParams.get("slot");
  const slot = slotText === null ? null : integerOfText("slot", slotText, 0, SLOT_MAX);
  const server = searchParams.get("server");
  const { sum, problems } = await askAllHotKeys(dashboard, searchParams.get("proxy"));
  const isWanted = (key: { readonly slot: number; readonly server: string }) =>
    (slot === null || key.slot === slot) && (server === null || key.server === server);
  return {
    ...sum,
    hot: sum.hot.filter(isWanted).slice(0, limit),
    big: sum.big.filter(isWanted).slice(0, limit),
    problems,
  };
}

/**
 * Asks the proxies that are online for their hot and big keys.
 *
 * @param proxyId Asks this one only; null: all.
 * @throws {InputError} When no proxy has this name.
 */
export async function askAllHotKeys({ store, proxyToken }: Dashboard, proxyId: string | null) {
  const all = await loadProxies(store);
  if (proxyId !== null && all.every(({ id }) => id !== proxyId)) {
    throw new InputError("proxy", "the name of a proxy", proxyId);
  }
  const proxies = all.filter(({ id, state }) =>
    state === "online" && (proxyId === null || id === proxyId)
  );
  const answers: HotKeysAnswer[] = [];
  const problems: { readonly proxy_id: string; readonly problem: string }[] = [];
  await Promise.all(proxies.map(async (proxy) => {
    try {
      answers.push(await askHotKeys(proxy, proxyToken));
    } catch (error) {
      problems.push({ proxy_id: proxy.id, problem: causeOfFetch(error) });
    }
  }));
  return { sum: sumHotKeyAnswers(answers), problems };
}
