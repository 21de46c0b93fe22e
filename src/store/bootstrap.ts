/**
 * Fills an empty embedded store from the config: one group per server, slots spread evenly.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { type Address, formatAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { EmbeddedCoordinator } from "../coordinator/embedded/embedded.ts";
import { NodeExistsError } from "../coordinator/errors.ts";
import { SwitchingCoordinator } from "../coordinator/switching.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import type { GroupRecord } from "../model/group.ts";
import { encodeServer } from "../model/server.ts";
import { encodeSlot, slotIn } from "../model/slot.ts";
import type { ServerFacts } from "./decoded_tree.ts";
import { loadGroups } from "./groups.ts";
import { loadMove } from "./moves.ts";
import type { StorePaths } from "./paths.ts";
import { childrenIfThere, createIfMissing, type Store, StoreError } from "./store.ts";

/** An entry that will be created. */
interface NewEntry {
  readonly path: string;
  readonly data: string;
}

/** Of a server that does not answer. */
const NO_FACTS: ServerFacts = { runId: "", follows: "" };

const log = logger("store");

/** Reads what the server at an address reports about itself; undefined when none answers. */
export type Identify = (server: Address) => Promise<ServerFacts | undefined>;

/**
 * Fills the store from `servers` if it holds neither a group nor a slot; leaves it as it is
 * otherwise, and logs it when `servers` names others than are stored.
 *
 * A store is filled in one change: a crash leaves it empty or full.
 *
 * @param identify Asks a server for its identity; left out: servers are not asked.
 * @throws {StoreError} When `servers` names one server twice, whose keys would be counted twice, a
 * replica, which would refuse all writes of its slots, a proxy, a sentinel, or a node of a cluster.
 * @returns Whether the store was filled.
 */
export async function fillEmptyStore(
  store: Store,
  servers: readonly Address[],
  identify?: Identify,
): Promise<boolean> {
  const { paths } = store;
  const coordinator = inUse(store.coordinator);
  // Every other coordinator is shared: there an operator makes groups, never a proxy that starts.
  if (!(coordinator instanceof EmbeddedCoordinator)) return false;
  // Another store's product is being copied here.
  if (await loadMove(store) !== undefined) return false;
  // What proxies and dashboards watch or list is there from the beginning.
  for (const path of [paths.proxies, paths.fences, paths.actions, paths.responses, paths.lock]) {
    await createIfMissing(store, path, "");
  }
  if (await isUnfilledStore(store)) {
    if (servers.length === 0) {
      log.warn("the store is empty and servers is not set: no slot can be served");
      return false;
    }
    if (identify !== undefined) checkMasters(servers, await Promise.all(servers.map(identify)));
    try {
      await coordinator.createAll(planStore(paths, store.product, servers));
      log.info("the empty store was filled with {groups} from servers", {
        groups: countOf(servers.length, "group"),
      });
      return true;
    } catch (error) {
      // Another process was faster; what it stored is judged as if it had been there before.
      if (!(error instanceof NodeExistsError)) throw error;
    }
  }
  if (servers.length === 0) return false;
  // With a server that cannot be read it is not known whether they differ; that proxy serves what it can.
  let isKnown = true;
  const groups = await loadGroups(store, () => isKnown = false);
  const why = isKnown ? whyIgnored(servers, groups) : undefined;
  if (why !== undefined) log.warn("{why}", { why });
  return false;
}

function inUse(coordinator: Coordinator): Coordinator {
  return coordinator instanceof SwitchingCoordinator ? coordinator.current : coordinator;
}

/** The entries of a store with one group per server, in the order of `servers`, ids from 1. */
export function planStore(
  paths: StorePaths,
  product: string,
  servers: readonly Address[],
): NewEntry[] {
  const groups = servers.flatMap((server, i): NewEntry[] => {
    const [groupId, addr] = [i + 1, formatAddress(server)];
    const record = { type: "master", group_id: groupId, addr } as const;
    return [
      { path: paths.group(groupId), data: "" },
      { path: paths.server(groupId, addr), data: encodeServer(record) },
    ];
  });
  const slots = Array.from({ length: SLOT_COUNT }, (_, slotId): NewEntry => {
    const groupId = Math.floor(slotId * servers.length / SLOT_COUNT) + 1;
    return {
      path: paths.slot(slotId),
      data: encodeSlot(slotIn(product, slotId, groupId, "online")),
    };
  });
  return [...groups, ...slots];
}

/**
 * Checks what an empty store is to be filled from.
 *
 * @param facts What each of the servers says of itself, in their order; undefined: it does not answer.
 * @throws {StoreError} When two of the servers are one, one follows another, or is no server of a group.
 */
export function checkMasters(
  servers: readonly Address[],
  facts: readonly (ServerFacts | undefined)[],
): void {
  const seen = new Map<string, string>();
  for (const [i, { runId, follows, unfit } = NO_FACTS] of facts.entries()) {
    const addr = formatAddress(servers[i]!);
    if (unfit !== undefined) throw new StoreError(`servers names ${addr}, which ${unfit}`);
    const other = seen.get(runId);
    if (other !== undefined) {
      throw new StoreError(`servers names one server twice: ${other} and ${addr}`);
    }
    if (runId !== "") seen.set(runId, addr);
    if (follows === "") continue;
    throw new StoreError(
      `servers names ${addr}, which is a replica of ${follows}: name masters alone; replicas are added ` +
        "by `codis-proxy config server add`",
    );
  }
}

/** Whether a store holds neither a group nor a slot, so that a start would fill it from `servers`. */
export async function isUnfilledStore(store: Store): Promise<boolean> {
  const groups = await childrenIfThere(store, store.paths.servers);
  const slots = await childrenIfThere(store, store.paths.slots);
  return groups.length === 0 && slots.length === 0;
}

/** Why `servers` has no effect on a store that has these groups; `undefined`: it names what is there. */
export function whyIgnored(
  servers: readonly Address[],
  groups: readonly GroupRecord[],
): string | undefined {
  if (servers.length === 0) return undefined;
  const stored = groups.flatMap((group) => (group.servers ?? []).map((server) => server.addr));
  const configured = servers.map(formatAddress);
  const isSame = [...stored].sort().join() === [...configured].sort().join();
  if (isSame) return undefined;
  return `servers = ${configured.join(",")} is ignored: the store is not empty and has ${
    stored.join(",")
  }`;
}
