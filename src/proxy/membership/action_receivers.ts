/**
 * Whom an action is for.
 *
 * @module
 */

import { isSameLife, type ProxyIdentity } from "../../model/proxy.ts";

/**
 * Whether a proxy is among an action's receivers, by Codis 2.0's rule: each is a proxy record in JSON
 * of which id, pid and start_at count; one that is not JSON is an id, and unless it is ours nobody
 * behind it is looked at.
 */
export function isReceiver(receivers: readonly string[] | null, own: ProxyIdentity): boolean {
  for (const receiver of receivers ?? []) {
    const identity = parseIdentity(receiver);
    if (identity === undefined) return receiver === own.id;
    if (isSameLife(identity, own)) return true;
  }
  return false;
}

function parseIdentity(text: string): ProxyIdentity | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
