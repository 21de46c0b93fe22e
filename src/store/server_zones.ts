/**
 * The zones of servers in the store. Codis 2.0 ignores them.
 *
 * @module
 */

import { decodeServerZones, encodeServerZones, type ServerZone } from "../model/server_zone.ts";
import { type ReadableStore, readIfThere } from "./store.ts";

/**
 * The zones of servers that have one.
 *
 * @throws {RecordError} When something else is stored there.
 */
export async function loadServerZones(store: ReadableStore): Promise<readonly ServerZone[]> {
  const json = await readIfThere(store, store.paths.serverZones);
  return json === undefined ? [] : decodeServerZones(json);
}

/**
 * The entry after the zone of servers has changed.
 *
 * @param zone Empty for none.
 * @returns What to write; null when nothing is left.
 */
export function zonesWith(
  zones: readonly ServerZone[],
  addrs: readonly string[],
  zone: string,
): string | null {
  const others = zones.filter(({ addr }) => !addrs.includes(addr));
  const all = zone === "" ? others : [...others, ...addrs.map((addr) => ({ addr, zone }))];
  return all.length === 0 ? null : encodeServerZones(all);
}
