/**
 * Keys at a server that is about to get their slots: they are not the owner's.
 *
 *      key at the target ── the owner has it, too ──► deleted at the target: the owner's counts
 *                       └── the owner has it not ───► told; the slot does not move as long as it is there
 *
 * From `migrate` on a key that both servers have is the target's, so before it the target may have none.
 *
 * @module
 */

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
 * @returns Slots of which the server has keys that the owner has not, and a text for each.
 * @throws {RedisUnreachableError | RedisError}
 */
export async function clearOrphans(
  target: RedisConnection,
  owner: RedisConnection,
  slotIds: ReadonlySet<number>,
  addrs: { readonly target: string; readonly owner: string },
): Promise<Map<number, string>> {
  const strays = new Map<number, Orphans>();
  for await (const { database, keys } of scanKeys(target, slotIds)) {
    const copies = new Set(await heldKeys(owner, database, keys));
    await dropKeys(target, database, [...copies]);
    for (const key of keys) {
      if (copies.has(key)) continue;
      const found = strays.get(key.slotId);
      if (found === undefined) strays.set(key.slotId, { count: 1, example: textOfKey(key.bytes) });
      else found.count++;
    }
  }
  return new Map([...strays].map(([slotId, { count, example }]) => {
    const what = count === 1 ? `key "${example}"` : `${count} keys, such as "${example}",`;
    const text = `${addrs.target} has ${what} of slot ${slotId}, which ${addrs.owner} has not: ` +
      "delete them there, or they would come back to life";
    return [slotId, text];
  }));
}
