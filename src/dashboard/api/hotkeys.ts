/**
 * The route of hot and big keys, of all proxies.
 *
 * @module
 */

import { sumHotKeyAnswers } from "../../api/hot_keys.ts";
import { InputError } from "../../control/errors.ts";
import { askHotKeys, askProxies } from "../../control/proxy_detail.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import { loadProxies } from "../../store/proxies.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";
import { integerOfText } from "../input.ts";
import type { Dashboard } from "../dashboard.ts";
import { type ApiRoute, type Call, read } from "./route.ts";

/** Keys of an answer at most, of either kind. */
const KEYS_MAX = 1_000;

/** See the header. The names of keys are not for everybody who may look at the cluster. */
export const HOTKEYS_ROUTES: readonly ApiRoute[] = [read("/api/hotkeys", hotKeys, "operator")];

async function hotKeys({ dashboard, url: { searchParams } }: Call): Promise<unknown> {
  const limit = integerOfText("limit", searchParams.get("limit") ?? "100", 1, KEYS_MAX);
  const slotText = searchParams.get("slot");
  const slot = slotText === null ? null : integerOfText("slot", slotText, 0, SLOT_COUNT - 1);
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
  const all = await loadProxies(store, LEAVE_OUT);
  if (proxyId !== null && all.every(({ id }) => id !== proxyId)) {
    throw new InputError("proxy", "the name of a proxy", proxyId);
  }
  const proxies = all.filter(({ id, state }) =>
    state === "online" && (proxyId === null || id === proxyId)
  );
  const { answers, problems } = await askProxies(proxies, (proxy) => askHotKeys(proxy, proxyToken));
  return { sum: sumHotKeyAnswers(answers.map(({ answer }) => answer)), problems };
}
