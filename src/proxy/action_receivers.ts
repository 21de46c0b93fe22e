/**
 * Whom an action is for.
 *
 * @module
 */

import type { ProxyRecord } from "../model/proxy.ts";

/** What makes two records the same life of the same proxy. */
type Identity = Pick<ProxyRecord, "id" | "pid" | "start_at">;

/**
 * Whether a proxy is among an action's receivers, by Codis 2.0's rule: each is a proxy record in JSON
 * of which id, pid and start_at count; one that is not JSON is an id, and unless it is ours nobody
 * behind it is looked at.
 */
export function isReceiver(receivers: readonly string[] | null, own: Identity): boolean {
  for (const receiver of receivers ?? []) {
    const identity = parseIdentity(receiver);
    if (identity === undefined) return receiver === own.id;
    if (isSameLife(identity, own)) return true;
  }
  return false;
}

/** Whether two records are of one life of one proxy: same id, same process, same start. */
export function isSameLife(a: Identity, b: Identity): boolean {
  return a.id === b.id && a.pid === b.pid && a.start_at === b.start_at;
}

function parseIdentity(text: string): Identity | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
