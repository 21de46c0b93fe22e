/**
 * Rules about what Redis servers report about themselves, as far as they have answered.
 *
 * @module
 */

import { parseAddress } from "../base/address.ts";
import { type DecodedTree, type PlacedServer, whyNotRead } from "./decoded_tree.ts";
import { realMaster } from "./check_groups.ts";
import { differentLibraries } from "./different_libraries.ts";
import { CONFIG, errorAt, type Problem, warningAt } from "./problem.ts";

/** A server is stored once: under two names it follows itself, or has the slots of two groups. */
export function findServersUnderTwoNames(product: DecodedTree): Problem[] {
  const { tree, servers, facts } = product;
  const first = new Map<string, PlacedServer>();
  return [...servers].sort((a, b) => rank(a) - rank(b)).flatMap((server) => {
    const runId = facts.get(server.addr)?.runId ?? "";
    if (runId === "") return [];
    const other = first.get(runId);
    if (other === undefined) {
      first.set(runId, server);
      return [];
    }
    // Of one name in two groups another rule speaks.
    if (other.addr === server.addr) return [];
    const problem = `${server.addr} is the same server as ${other.addr} of group ${other.groupId}`;
    return [
      errorAt(tree.paths.server(server.groupId, server.addr), problem, fixOf(server, product)),
    ];
  });
}

/** A group's servers hold keys themselves: `server add --force` takes one that does not answer, whatever it is. */
export function findUnfitServers(product: DecodedTree): Problem[] {
  const { tree, servers, facts } = product;
  return servers.flatMap((server) => {
    const { groupId, addr } = server;
    const { unfit } = facts.get(addr) ?? {};
    if (unfit === undefined) return [];
    // Its slots cannot be moved away.
    const fix = server.record.type === "master" && isUsed(groupId, product)
      ? `${CONFIG} server add ${groupId} <redis_addr> offline, then ${CONFIG} server promote ${groupId} ` +
        "<redis_addr> --force"
      : fixOf(server, product);
    return [errorAt(tree.paths.server(groupId, addr), `${addr} ${unfit}`, fix)];
  });
}

/** A master follows no server; one that does refuses all writes. */
export function findMastersThatFollow({ tree, servers, facts }: DecodedTree): Problem[] {
  // On the way from one master to another it is so for a moment.
  if (tree.records.has(tree.paths.intent)) return [];
  return servers.filter(({ record }) => record.type === "master").flatMap(({ groupId, addr }) => {
    const { follows = "", runId } = facts.get(addr) ?? {};
    const own = servers.filter((server) => server.groupId === groupId);
    // Of several masters another rule speaks.
    if (follows === "" || mastersOf(own).length > 1) return [];
    const real = realMaster({ facts }, own);
    const isItself = follows === addr || facts.get(follows)?.runId === runId;
    const isKnown = servers.some((server) => server.addr === follows);
    return [errorAt(
      tree.paths.server(groupId, addr),
      `the master of group ${groupId} follows ${follows}: it refuses writes`,
      real !== undefined
        ? `${CONFIG} server promote ${groupId} ${real}`
        : isItself
        ? `${standAlone(addr)}, if it has all data; or promote a replica that has`
        : isKnown
        ? `see that ${follows} answers and follows nobody, then ${CONFIG} server promote ${groupId} ${follows}`
        : `${CONFIG} server add ${groupId} ${follows} offline, then ${CONFIG} server promote ${groupId} ` +
          `${follows}; or, if nobody writes to ${follows}, ${standAlone(addr)}`,
    )];
  });
}

/** A replica has its group's changes only if it follows the master, or another replica that does. */
export function findReplicasThatStray({ tree, servers, facts }: DecodedTree): Problem[] {
  if (tree.records.has(tree.paths.intent)) return [];
  const idOf = (addr: string) => facts.get(addr)?.runId || addr;
  const followedBy = new Map([...facts].map(([addr, { follows }]) => [idOf(addr), follows]));
  return servers.filter(({ record }) => record.type === "slave").flatMap(({ groupId, addr }) => {
    const master = servers.find((each) =>
      each.groupId === groupId && each.record.type === "master"
    );
    const follows = facts.get(addr)?.follows;
    // Whom to follow is known once the master is: of one that follows another rule speaks.
    const isUnsettled = mastersOf(servers.filter((each) => each.groupId === groupId)).length > 1 ||
      (facts.get(master?.addr ?? "")?.follows ?? "") !== "";
    // Of one that is a master under another name another rule speaks.
    if (
      isUnsettled || master === undefined || follows === undefined ||
      idOf(addr) === idOf(master.addr)
    ) {
      return [];
    }
    const seen = new Set<string>();
    // One that does not answer, or is stored under no such name, may be the master, or follow it.
    for (let next: string | undefined = addr; next !== ""; next = followedBy.get(idOf(next))) {
      if (next === undefined || idOf(next) === idOf(master.addr)) return [];
      if (seen.has(idOf(next))) break;
      seen.add(idOf(next));
    }
    const { hostname, port } = parseAddress(master.addr);
    const why = whyNotRead(facts.get(addr)?.reads, facts.get(master.addr)?.reads);
    return [warningAt(
      tree.paths.server(groupId, addr),
      `${addr} gets no changes of ${master.addr}, the master of group ${groupId}: it follows ` +
        (follows === "" ? "nobody" : follows),
      why === ""
        ? `${redisCli(addr)} SLAVEOF ${hostname} ${port}: it loses what only it has`
        : `it ${why}: ${CONFIG} server remove ${groupId} ${addr}, once it is not needed as the way back`,
    )];
  });
}

/** After a promotion, a proxy that has not heard of it is kept from writing to the old master by its role alone. */
export function findReplicasThatTakeWrites({ tree, servers, facts }: DecodedTree): Problem[] {
  return servers.filter(({ addr }) => facts.get(addr)?.isWritableReplica === true).map(
    ({ groupId, addr }) =>
      warningAt(
        tree.paths.server(groupId, addr),
        `${addr} takes writes although it is a replica (replica-read-only no): such writes are lost, and ` +
          "as a master it cannot be replaced without losing some",
        `${redisCli(addr)} CONFIG SET slave-read-only yes, and the same in its configuration file`,
      ),
  );
}

/** A replica that refuses proxies cannot take its master's place; a master that does serves nobody. */
export function findServersThatRefuseClients({ tree, servers, facts }: DecodedTree): Problem[] {
  return servers.flatMap(({ groupId, addr, record: { type } }) => {
    const { refusesClients } = facts.get(addr) ?? {};
    if (refusesClients === undefined || type === "offline") return [];
    const what = `the ${type === "master" ? "master" : "replica"} ${addr} ${refusesClients}`;
    const path = tree.paths.server(groupId, addr);
    const fix = `${CONFIG} server harden ${addr} --apply`;
    return [
      type === "master"
        ? errorAt(path, what, fix)
        : warningAt(path, `${what}: no failover promotes it`, fix),
    ];
  });
}

/** A function is called where its key is: each master that has slots needs the same libraries. */
export function findDifferentLibraries({ tree, servers, slots, facts }: DecodedTree): Problem[] {
  const used = new Set([...slots.values()].map((slot) => slot.group_id));
  const masters = servers.flatMap(({ groupId, addr, record }) => {
    const { libraries } = facts.get(addr) ?? {};
    if (record.type !== "master" || !used.has(groupId) || libraries === undefined) return [];
    return [{ groupId, addr, libraries }];
  });
  return differentLibraries(masters).map(({ name, master: { groupId, addr }, first, isMissing }) =>
    warningAt(
      tree.paths.server(groupId, addr),
      isMissing
        ? `${addr} lacks the function library ${name}, which ${first.addr} has: FCALL fails for keys of group ${groupId}`
        : `the function library ${name} of ${addr} is another one than that of ${first.addr}`,
      "FUNCTION LOAD REPLACE of it through a proxy: every master loads it then",
    )
  );
}

function mastersOf(own: readonly PlacedServer[]): readonly PlacedServer[] {
  return own.filter(({ record }) => record.type === "master");
}

/** Masters first: the others are easily removed. */
function rank({ record }: PlacedServer): number {
  return record.type === "master" ? 0 : 1;
}

/** Whether a group has slots, or gives some away. */
function isUsed(groupId: number, { slots }: DecodedTree): boolean {
  return [...slots.values()].some((slot) =>
    slot.group_id === groupId || slot.state.migrate_status.from === groupId
  );
}

function fixOf({ groupId, addr, record }: PlacedServer, product: DecodedTree): string {
  if (record.type !== "master") {
    const { runId, follows = "" } = product.facts.get(addr) ?? {};
    const isItself = follows !== "" && product.facts.get(follows)?.runId === runId;
    const then = isItself ? `, then ${standAlone(addr)}` : "";
    return `${CONFIG} server remove ${groupId} ${addr}${then}`;
  }
  if (!isUsed(groupId, product)) return `${CONFIG} server remove-group ${groupId}`;
  return `migrate the slots of group ${groupId} to a group with a server of its own, then ` +
    `${CONFIG} server remove-group ${groupId}`;
}

function standAlone(addr: string): string {
  return `${redisCli(addr)} SLAVEOF NO ONE`;
}

function redisCli(addr: string): string {
  const { hostname, port } = parseAddress(addr);
  return `redis-cli -h ${hostname} -p ${port}`;
}
