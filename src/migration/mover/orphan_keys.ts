/**
 * Orphan keys: keys of slots at a server that is about to get these slots.
 *
 *      key at the target ── the owner has it, too ────► deleted at the target: the owner's key counts
 *                       └── the owner does not have it ► reported; the slot waits until somebody has decided
 *
 * In `migrate`, a key that both servers have is the target's, so before that the target must have none.
 *
 * @module
 */

import type { Placement } from "../../hash/placement.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { dropKeys, heldKeys, scanKeys, textOfKey } from "./server_keys.ts";

/** What was found of a slot. */
interface Orphans {
  count: number;
  readonly example: string;
}

/**
 * Looks for keys of slots at a server and deletes copies of what the owner has.
 *
 * @param target The server that is about to get the slots.
 * @param owner The server that has them.
 * @returns Slots with keys that only the target has, and a sentence for each.
 * @throws {RedisUnreachableError | RedisError}
 */
export async function clearOrphans(
  target: RedisConnection,
  owner: RedisConnection,
  slotIds: ReadonlySet<number>,
  placement: Placement,
  addrs: { readonly target: string; readonly owner: string },
): Promise<Map<number, string>> {
  const orphans = new Map<number, Orphans>();
  for await (const { database, keys } of scanKeys(target, slotIds, placement)) {
    const copies = new Set(await heldKeys(owner, database, keys));
    await dropKeys(target, database, [...copies]);
    for (const key of keys) {
      if (copies.has(key)) continue;
      const found = orphans.get(key.slotId);
      if (found === undefined) orphans.set(key.slotId, { count: 1, example: textOfKey(key.bytes) });
      else found.count++;
    }
  }
  return new Map([...orphans].map(([slotId, { count, example }]) => {
    const what = count === 1 ? `key "${example}"` : `${count} keys, such as "${example}",`;
    return [slotId, `${addrs.target} has ${what} of slot ${slotId}, but ${addrs.owner} does not`];
  }));
}
