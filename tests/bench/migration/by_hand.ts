/**
 * Moves all keys from one server to another as a person would: over one connection, one call after the other.
 *
 * @module
 */

import { encodeRequests, RespClient } from "../../support/resp_client.ts";

/** Keys of one MIGRATE. */
const CALL_KEYS = 100;
const TIMEOUT_MS = 30_000;
const SLOTS = 1024;

interface Server {
  readonly port: number;
}

/**
 * Moves all keys.
 *
 * @param timed Runs the move itself; for MIGRATE the keys' names are known before.
 */
export async function moveByHand<R>(
  way: { readonly from: Server; readonly to: Server },
  backend: "stock" | "codis",
  timed: (body: () => Promise<void>) => Promise<R>,
): Promise<R> {
  using client = await RespClient.connect(way.from.port, "127.0.0.1", TIMEOUT_MS);
  if (backend === "codis") return await timed(() => moveSlots(client, way.to.port));
  const names = await namesAt(client);
  const calls: Uint8Array[] = [];
  while (names.length > 0) {
    const keys = names.splice(-CALL_KEYS);
    const where = ["127.0.0.1", way.to.port, "", 0, TIMEOUT_MS];
    calls.push(encodeRequests([["MIGRATE", ...where, "KEYS", ...keys]]));
  }
  return await timed(async () => {
    for (const call of calls) {
      await client.sendRaw(call);
      const { value } = await client.read();
      if (value !== "OK") throw new Error(`MIGRATE: ${value}`);
    }
  });
}

async function moveSlots(client: RespClient, port: number): Promise<void> {
  for (let slotId = 0; slotId < SLOTS; slotId++) {
    for (;;) {
      const reply = await client.call("SLOTSMGRTTAGSLOT", "127.0.0.1", port, TIMEOUT_MS, slotId);
      if (!Array.isArray(reply)) throw new Error(`SLOTSMGRTTAGSLOT: ${reply}`);
      if (Number(reply[1]) === 0) break;
    }
  }
}

async function namesAt(client: RespClient): Promise<string[]> {
  const names = new Set<string>();
  for (let cursor = "0", isFirst = true; isFirst || cursor !== "0"; isFirst = false) {
    const [next, keys] = await client.call("SCAN", cursor, "COUNT", 1_000) as [string, string[]];
    for (const key of keys) names.add(key);
    cursor = next;
  }
  return [...names];
}
