/**
 * `import` from servers: copies all keys, follows all changes, and ends when it is told to.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { Secret } from "../../base/secret.ts";
import { clearKeys, keptByOthers } from "../../import/clear_keys.ts";
import { ImportRun } from "../../import/import_run.ts";
import { ImportState } from "../../import/import_state.ts";
import { ReadRate } from "../../import/read_rate.ts";
import type { ImportSetup, SourceImport } from "../../import/source_import.ts";
import {
  type ServerSource,
  sourceName,
  type SourceServer,
} from "../../import/source/source_address.ts";
import { SourceControl, type SourceKey } from "../../import/source/source_control.ts";
import { type ClusterNodes, readCluster } from "../../import/source/cluster_nodes.ts";
import { ChangeError } from "../../import/stream/change_writer.ts";
import type { TlsToServers } from "../../io/tls.ts";
import { RedisError } from "../../redis/reply.ts";
import { keysIn, type RedisInfo } from "../../redis/info.ts";
import { rdbVersionOf, serverName } from "../../redis/rdb_version.ts";
import type { CommandContext } from "../parts/context.ts";
import { toJson } from "../parts/output.ts";
import { readPasswordFile } from "../parts/password.ts";
import { type Flag, type FlagValues, isGiven, readValue } from "../parts/subcommand.ts";
import {
  ALLOW_FLUSH,
  choiceText,
  COUNT_ONLY,
  FROM_PASSWORD_FILE,
  MERGE,
  RATE,
  readChoice,
  RESTART,
  STATE,
  TO,
  valueOr,
} from "./flags.ts";
import { type Destination, openDestination, openTarget } from "./destination.ts";
import { moveKeys } from "./move.ts";
import { readProduct } from "./product.ts";

/** How often a cluster is asked whether slots move. */
const CLUSTER_MS = 1_000;
/** Connections to proxies, all sources together. */
const LANES_MAX = 16;
const LANES_OF_ONE_MAX = 4;
const TEXTS = { whose: "the sources", go: "let the clients use the proxies" };
/** RDB version up to which common types of values have changed. */
const COMMON_TYPES_UNTIL = 11;

/** See the header. */
export async function importServers(
  values: FlagValues,
  context: CommandContext,
  sources: readonly ServerSource[],
): Promise<number> {
  const product = await readProduct(context, valueOr(values, TO, undefined));
  const cluster = await clusterOf(values, sources);
  const servers = cluster?.masters ?? await namedServers(values, sources);
  const infos = await checkSources(servers, product);
  for (const [name, info] of infos) {
    if (product.isOwn(info)) throw new Error(`${name} is a server of ${product.title} itself`);
  }
  if (isGiven(values, COUNT_ONLY)) {
    console.log(toJson({ keys: keysOf(infos), sources: [...infos.keys()] }));
    return 0;
  }
  const task = `${[...servers.keys()].join(", ")} to product ${product.name}`;
  const state = await openState(values, product, task, `import-${product.name}.state`);
  const companion = cluster &&
    { watch: (run: ImportRun) => watchCluster(cluster, () => run.isEnded) };
  return await moveKeys(values, {
    places: new Map([...servers].map(([name, server]) => [name, { server }])),
    ...{ destination: product, state, companion, texts: TEXTS },
    setup: (say, run) => setupOf(values, product, state, servers.size, say, () => run().sources),
  });
}

function setupOf(
  values: FlagValues,
  product: Destination,
  state: ImportState,
  sourceCount: number,
  say: (text: string) => void,
  all: () => readonly SourceImport[],
): ImportSetup {
  const lanes = lanesOf(sourceCount);
  const choice = readChoice(values);
  return {
    clear: async (source) => {
      using proxy = await openDestination(product);
      const others = all().filter((other) => other !== source).map((other) => ({
        control: other.control,
        // Before it is followed, its copy has the key.
        reread: async (keys: readonly SourceKey[]) => {
          if (other.phase === "following") await other.follower?.reread(keys);
        },
      }));
      return await clearKeys(proxy, await product.databases(), choice, keptByOthers(others));
    },
    openTarget: () => openTarget(product, lanes),
    ...{ choice, rate: new ReadRate(valueOr(values, RATE, 0)), state, say },
    ...{ tls: tlsOf, flushes: isGiven(values, ALLOW_FLUSH) && sourceCount === 1 },
  };
}

/** How many connections each source writes with. */
export function lanesOf(sourceCount: number): number {
  return Math.max(1, Math.min(LANES_OF_ONE_MAX, Math.floor(LANES_MAX / sourceCount)));
}

/** The cluster that is imported; undefined: there is none. */
async function clusterOf(
  values: FlagValues,
  sources: readonly ServerSource[],
): Promise<ClusterNodes | undefined> {
  if (sources[0]!.kind !== "cluster") return undefined;
  const [server] = (await namedServers(values, sources)).values();
  const nodes = await readCluster(server!, tlsOf(server!));
  // Each node names only the slots that it moves itself.
  for (const master of nodes.masters.values()) {
    const { moving } = await readCluster(master, tlsOf(master));
    if (moving !== undefined) {
      throw new Error(`the cluster moves slots (${moving}): end that first`);
    }
  }
  return nodes;
}

/** Fails when the cluster moves slots: keys would be lost between two nodes. */
async function watchCluster(cluster: ClusterNodes, isEnded: () => boolean): Promise<void> {
  for (let i = 0; !isEnded(); i++) {
    const servers = [...cluster.masters.values()];
    const server = servers[i % servers.length]!;
    // A node that cannot be asked: the next one is.
    const { layout, moving } = await readCluster(server, tlsOf(server)).catch(() => cluster);
    if (moving !== undefined || layout !== cluster.layout) {
      throw new ChangeError(
        `the source's cluster moves slots, or has another master (${
          moving ?? layout
        }), which cannot be followed: ` +
          "when that has ended, run the same command with --restart, which copies all keys anew",
      );
    }
    await delay(CLUSTER_MS);
  }
}

/** The servers of the sources, by their names, with passwords. */
async function namedServers(
  values: FlagValues,
  sources: readonly ServerSource[],
): Promise<Map<string, SourceServer>> {
  const complete = await passwordFrom(values, FROM_PASSWORD_FILE);
  return new Map(sources.map((source) => [sourceName(source), complete(source.server)]));
}

/** Reads the file that a flag names; what is returned gives its password to a server that has none. */
export async function passwordFrom(
  values: FlagValues,
  flag: Flag<string>,
): Promise<(server: SourceServer) => SourceServer> {
  const file = readValue(values, flag);
  if (file === "") return (server) => server;
  const password = new Secret(await readPasswordFile(file, flag.name));
  return (server) => server.password.isSet ? server : { ...server, password };
}

/** With TLS, a server's certificate is checked by the authorities that the system trusts. */
export function tlsOf(server: SourceServer): TlsToServers | undefined {
  return server.isTls ? { identity: { cert: "", key: "", ca: "" }, serverName: "" } : undefined;
}

/**
 * Asks each source who it is.
 *
 * @returns Their INFO, by name.
 * @throws {Error} When one cannot be asked, or has values that the product's servers do not know.
 */
export async function checkSources(
  servers: ReadonlyMap<string, SourceServer>,
  destination: Destination,
  tls: (server: SourceServer) => TlsToServers | undefined = tlsOf,
): Promise<Map<string, RedisInfo>> {
  const infos = new Map<string, RedisInfo>();
  for (const [name, server] of servers) {
    const control = new SourceControl(server, tls(server));
    try {
      const info = await control.info();
      checkVersion(name, info, destination);
      infos.set(name, info);
    } catch (error) {
      if (error instanceof RedisError) {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      }
      throw error;
    } finally {
      control.close();
    }
  }
  return infos;
}

/** How many keys sources have. */
export function keysOf(infos: ReadonlyMap<string, RedisInfo>): number {
  return [...infos.values()].reduce((sum, info) => sum + keysIn(info), 0);
}

function checkVersion(name: string, info: RedisInfo, destination: Destination): void {
  const { servers } = destination;
  if (servers.rdbVersion >= Math.min(rdbVersionOf(info), COMMON_TYPES_UNTIL)) return;
  throw new Error(
    `${name} is a ${
      serverName(info)
    }: ${destination.title}, of version ${servers.version}, does not know ` +
      "the types of its values; use the same version or a newer one",
  );
}

/**
 * Opens the state of what is moved.
 *
 * @param file Used unless a flag names another one.
 * @throws {Error} When the destination has keys already, and nobody has allowed that.
 */
export async function openState(
  values: FlagValues,
  destination: Destination,
  task: string,
  file: string,
): Promise<ImportState> {
  const named = valueOr(values, STATE, "") || file;
  const state = await ImportState.open(named, `${task}${choiceText(values)}`, () => {
    const isEmpty = destination.keys === 0;
    if (isEmpty || isGiven(values, MERGE)) return isEmpty;
    throw new Error(
      `${destination.title} has keys already: with --merge, keys of the same name are replaced, and others stay`,
    );
  });
  if (isGiven(values, RESTART)) state.restart();
  return state;
}
