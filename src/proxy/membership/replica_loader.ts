/**
 * Brings the replicas of all groups from the store into the router, with how far each server is.
 *
 * @module
 */

import { parseAddress } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { ClosedError } from "../../coordinator/errors.ts";
import type { GroupRecord } from "../../model/group.ts";
import { RecordError } from "../../model/record.ts";
import type { ServerZone } from "../../model/server_zone.ts";
import type { GroupServers, SlotTable } from "../../router/slot_table.ts";
import { loadGroups } from "../../store/groups.ts";
import { loadServerZones } from "../../store/server_zones.ts";
import { type Store, StoreError } from "../../store/store.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";

const log = logger("proxy");

/** Where a proxy is, and how much it cares for replicas. */
export interface ProxyPlace {
  /** Empty for none. */
  readonly zone: string;
  /** The names and addresses of its machine. */
  readonly hosts: ReadonlySet<string>;
  /**
   * Time between two looks at the store, since a Codis 2.0 dashboard announces no replica; 0: only
   * what is announced is noticed. In milliseconds.
   */
  readonly lookMs: number;
}

/** A proxy of which nothing is said. */
export const NO_PLACE: ProxyPlace = { zone: "", hosts: new Set(), lookMs: 0 };

/** See the header. */
export class ReplicaLoader {
  readonly #store: Store;
  readonly #table: SlotTable;
  readonly #place: ProxyPlace;
  readonly #timers: Timers;
  #cancel: () => void = () => {};
  #isStopped = false;
  #groups: readonly GroupServers[] = [];
  /** What was said last of a store that cannot be read. */
  #told = "";

  /** Loads nothing yet. */
  constructor(
    store: Store,
    table: SlotTable,
    place: ProxyPlace,
    timers: Timers = SYSTEM_TIMERS,
  ) {
    this.#store = store;
    this.#table = table;
    this.#place = place;
    this.#timers = timers;
  }

  /** The groups as they were last loaded. */
  get groups(): readonly GroupServers[] {
    return this.#groups;
  }

  /**
   * Loads them, and again from time to time.
   *
   * @throws {CoordinatorError} When the store cannot be read; the replicas stay as they were.
   */
  async load(): Promise<void> {
    this.#cancel();
    try {
      const [groups, zones] = await Promise.all([
        loadGroups(this.#store, LEAVE_OUT),
        loadServerZones(this.#store),
      ]);
      this.#groups = groups.flatMap((group) => serversOf(group, zones, this.#place));
      this.#table.setReplicas(this.#groups);
      this.#told = "";
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof RecordError)) throw error;
      // It is looked again and again, and says the same each time.
      if (error.message !== this.#told) log.error("replicas stay as they were: {error}", { error });
      this.#told = error.message;
    } finally {
      this.#lookAgain();
    }
  }

  #lookAgain(): void {
    const { lookMs } = this.#place;
    if (lookMs === 0 || this.#isStopped) return;
    this.#cancel();
    this.#cancel = this.#timers.after(lookMs, () => {
      this.load().catch((error) => {
        if (!(error instanceof ClosedError)) log.debug("replicas not loaded: {error}", { error });
      });
    });
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }
}

/** A group as the router wants it; none without one master. */
function serversOf(
  { id: groupId, servers }: GroupRecord,
  zones: readonly ServerZone[],
  place: ProxyPlace,
): GroupServers[] {
  const ofType = (type: string) => (servers ?? []).filter((server) => server.type === type);
  const [master, ...more] = ofType("master");
  if (master === undefined || more.length > 0) return [];
  const distanceOf = (addr: string) => distance(addr, zones, place);
  return [{
    groupId,
    master: master.addr,
    distance: distanceOf(master.addr),
    replicas: ofType("slave").map(({ addr }) => ({ address: addr, distance: distanceOf(addr) })),
  }];
}

function distance(
  addr: string,
  zones: readonly ServerZone[],
  { zone, hosts }: ProxyPlace,
): GroupServers["distance"] {
  if (hosts.has(parseAddress(addr).hostname)) return 0;
  const own = zones.find((each) => each.addr === addr)?.zone ?? "";
  return own !== "" && own === zone ? 1 : 2;
}
