/**
 * What the control plane asks Redis servers and commands them: their identity, and the master they follow.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { formatAddress, parseAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import type { GroupRecord } from "../model/group.ts";
import type { ServerRecord } from "../model/server.ts";
import { keysIn, readInfo, type RedisInfo, runIdIn } from "../redis/info.ts";
import { RedisConnection, RedisUnreachableError } from "../redis/connection.ts";
import { protocolHint } from "../redis/refusal.ts";
import { rdbVersionOf, serverName } from "../redis/rdb_version.ts";
import { RedisError, replyText } from "../redis/reply.ts";
import { checkTree } from "../store/check.ts";
import type { Problem } from "../store/problem.ts";
import type { FactsByAddr, ServerFacts, ServerReads } from "../store/decoded_tree.ts";
import { type ProductTree, serverAddrs } from "../store/product_tree.ts";
import { StoreError } from "../store/store.ts";
import { type ClientLogin, refusalOfClients } from "./client_login.ts";
import type { Control } from "./control.ts";
import { ForceableError } from "./errors.ts";
import { checkIsServer, IDENTITY_MS, unfitness } from "./fit_server.ts";
import { librariesOf, textsOf } from "./function_libraries.ts";

const log = logger("dashboard");

/** How a server replicates. */
export interface Replication {
  readonly role: "master" | "slave";
  /** The master that a replica follows, `host:port`; empty for a master. */
  readonly master: string;
  /** Whether a replica is in touch with its master and has all of its data. */
  readonly isLinked: boolean;
  /**
   * Name of the stream of changes, which a master and its replicas share; `""` before Redis 4, which has
   * none.
   */
  readonly history: string;
  /** How much of the stream of changes it has made or taken, in bytes. */
  readonly offset: number;
}

/** Credentials of the Redis servers. */
export interface ServerAuth extends ClientLogin {
  /** `""`: the default user. */
  readonly user: string;
  readonly password: Secret;
}

/** A problem as `config check` and `GET /api/check` tell it. */
export interface FoundProblem extends Omit<Problem, "repairs"> {
  /** There, and true, when `config check --fix` repairs it. */
  readonly fixable?: boolean;
}

/** What `config check` and `GET /api/check` find. */
export interface CheckFindings {
  readonly problems: readonly FoundProblem[];
  /** Addresses of servers that did not answer, so that what they would say is not checked. */
  readonly silent_servers: readonly string[];
}

/**
 * Finds what is wrong with a tree, also by what its servers report about themselves.
 *
 * @param open Connects to an address.
 * @param clients How proxies log in for clients.
 */
export async function checkWithServers(
  tree: ProductTree,
  open: (addr: string) => Promise<RedisConnection>,
  clients: ClientLogin,
): Promise<CheckFindings> {
  const addrs = serverAddrs(tree);
  const facts = await askFacts(addrs, open, clients);
  const problems = checkTree(tree, facts).problems.map((
    { repairs, isRemovable: _, ...problem },
  ) => ({
    ...problem,
    ...repairs !== undefined && { fixable: true },
  }));
  return { problems, silent_servers: addrs.filter((addr) => !facts.has(addr)) };
}

/**
 * What servers report about themselves, for the rules of `config check`. All are asked at once; servers
 * that do not answer are left out.
 *
 * @param open Connects to an address.
 */
async function askFacts(
  addrs: readonly string[],
  open: (addr: string) => Promise<RedisConnection>,
  clients: ClientLogin,
): Promise<FactsByAddr> {
  const facts = await Promise.all(addrs.map(async (addr) => {
    try {
      using redis = await open(addr);
      const facts = await factsOf(redis);
      const libraries = await librariesOf(redis).catch(() => undefined);
      const refusesClients = await refusalOfClients(clients, addr) ?? "";
      const told = { ...facts, libraries: libraries && textsOf(libraries) };
      return [[addr, refusesClients === "" ? told : { ...told, refusesClients }] as const];
    } catch {
      return [];
    }
  }));
  return new Map(facts.flat());
}

/**
 * What a server reports about itself.
 *
 * @throws As `RedisConnection.call`.
 */
export async function factsOf(redis: RedisConnection): Promise<ServerFacts> {
  const info = await readInfo(redis);
  const isCodis = await answersLikeCodis(redis).catch(() => false);
  const unfit = unfitness(info);
  return {
    ...(unfit === "" ? {} : { unfit }),
    ...{ runId: runIdIn(info), follows: replicationOf(info).master, isCodis },
    ...(info["slave_read_only"] === "0" ? { isWritableReplica: true } : {}),
    reads: readsOf(info),
  };
}

/** What data a server reads, by its INFO; undefined: INFO does not say. */
export function readsOf(info: RedisInfo): ServerReads | undefined {
  if (info["redis_version"] === undefined) return undefined;
  return { rdb: rdbVersionOf(info), name: serverName(info) };
}

/** What INFO says of replication. */
export function replicationOf(info: RedisInfo): Replication {
  const isReplica = info["role"] === "slave";
  const host = info["master_host"] ?? "";
  const offset = isReplica
    ? info["slave_repl_offset"] ?? info["slave_read_repl_offset"]
    : info["master_repl_offset"];
  return {
    role: isReplica ? "slave" : "master",
    master: isReplica
      ? `${host.includes(":") ? `[${host}]` : host}:${info["master_port"] ?? ""}`
      : "",
    isLinked: isReplica && info["master_link_status"] === "up" &&
      info["master_sync_in_progress"] !== "1",
    history: info["master_replid"] ?? "",
    offset: Number(offset ?? 0),
  };
}

/** The run id of the server that answers at an address; `""`: none does, or it has no run id. */
export async function identityOf(control: Control, addr: string): Promise<string> {
  try {
    using redis = await control.redis(addr, IDENTITY_MS);
    return runIdIn(await readInfo(redis, "server"));
  } catch {
    return "";
  }
}

/** Whether two addresses lead to one server, which answers at both. */
export async function areOneServer(control: Control, a: string, b: string): Promise<boolean> {
  if (a === b) return true;
  const [one, other] = await Promise.all([identityOf(control, a), identityOf(control, b)]);
  return one !== "" && one === other;
}

/**
 * Whether the server at an address is a codis-server, which places keys itself.
 *
 * @throws {RedisUnreachableError | RedisError} When it cannot be used.
 * @throws {StoreError} When it is a proxy, which answers like one.
 */
export async function isCodisServer(
  control: Pick<Control, "redis">,
  addr: string,
): Promise<boolean> {
  using redis = await control.redis(addr);
  const isCodis = await answersLikeCodis(redis);
  if (isCodis) checkIsServer(addr, await readInfo(redis));
  return isCodis;
}

/** Whether a server is a codis-server. */
export async function answersLikeCodis(redis: RedisConnection): Promise<boolean> {
  const [reply] = await redis.pipeline([["SLOTSHASHKEY", "a"]]);
  if (Array.isArray(reply)) return true;
  if (reply instanceof RedisError && !/unknown command/i.test(reply.message)) throw reply;
  return false;
}

/**
 * Checks that a server is not stored under another name already: it would follow itself, own the slots
 * of two groups, or be asked to give keys to itself.
 *
 * @throws {StoreError} When it is.
 */
export async function checkStoredOnce(
  control: Control,
  addr: string,
  groups: readonly GroupRecord[],
): Promise<void> {
  const same = await findUnderOtherName(control, addr, groups);
  if (same === undefined) return;
  throw new StoreError(
    `${addr} is the same server as ${same.addr} of group ${same.group_id}: a server is stored once, ` +
      "under one address",
  );
}

/** The server that answers at `addr` and is stored under another address. */
export async function findUnderOtherName(
  control: Control,
  addr: string,
  groups: readonly GroupRecord[],
): Promise<ServerRecord | undefined> {
  const others = groups.flatMap(({ servers }) => servers ?? []).filter((each) =>
    each.addr !== addr
  );
  const asked = [addr, ...others.map((each) => each.addr)];
  const [own, ...ids] = await Promise.all(asked.map((each) => identityOf(control, each)));
  return own === "" ? undefined : others[ids.indexOf(own!)];
}

/** Whether two addresses are the same server's, judged by their spelling alone. */
export function isSameServer(a: string, b: string): boolean {
  const local = (addr: string) => addr.replace(/^(localhost|\[::1\]):/, "127.0.0.1:");
  return local(a) === local(b);
}

/**
 * Checks that a server can be a master of ours: it answers, and follows no master.
 *
 * @throws {StoreError} When it cannot.
 */
export async function checkFitMaster(control: Control, addr: string): Promise<void> {
  let info: RedisInfo;
  try {
    using redis = await control.redis(addr);
    info = await readInfo(redis);
  } catch (error) {
    throw whyNotAsked(addr, error as Error);
  }
  const { role, master } = replicationOf(info);
  if (role === "slave") {
    throw new StoreError(
      `${addr} is a replica of ${master}: make it a master first (REPLICAOF NO ONE), or add its master`,
    );
  }
}

/** Why a server could not be asked, and what to do. Force helps only where nobody answers yet. */
function whyNotAsked(addr: string, error: Error): StoreError {
  const cause = error.message.includes(addr) ? error.message : `${addr}: ${error.message}`;
  if (!(error instanceof RedisUnreachableError)) return new StoreError(cause);
  const hint = protocolHint(cause);
  if (hint !== "") return new StoreError(`${cause}; ${hint}`);
  return new ForceableError(`${cause}; start it first, or force it if it will answer later`);
}

/**
 * Makes a server follow another.
 *
 * @param isForced Also when it has keys of its own, which it loses by that.
 * @param checkCanFollow Throws when it cannot follow that master; force does not help.
 * @throws {StoreError} When it has keys of its own and it is not forced.
 */
export async function makeReplica(
  control: Control,
  addr: string,
  master: string,
  auth: ServerAuth,
  isForced: boolean,
  checkCanFollow: (redis: RedisConnection) => Promise<void>,
): Promise<void> {
  using redis = await control.redis(addr);
  await checkCanFollow(redis);
  const info = await readInfo(redis);
  checkIsServer(addr, info);
  const now = replicationOf(info);
  if (now.role === "slave" && isSameServer(now.master, master)) return;
  const keys = keysIn(info);
  if (now.role === "master" && keys > 0 && !isForced) {
    throw new ForceableError(
      `${addr} holds ${countOf(keys, "key")}, which it would lose as a replica of ${master}: ` +
        `force it if ${keys === 1 ? "that is" : "they are"} not needed`,
    );
  }
  await follow(redis, master, auth);
}

/**
 * Why a server that we reach over TLS speaks none to other servers; `undefined`: it does, or we speak none.
 *
 * @param setting `tls-replication` to its master, `tls-cluster` to whom MIGRATE sends keys.
 */
export async function tlsFault(
  redis: RedisConnection,
  setting: "tls-replication" | "tls-cluster",
): Promise<string | undefined> {
  if (!redis.isTls) return undefined;
  const [reply] = await redis.pipeline([["CONFIG", "GET", setting]]);
  if (!Array.isArray(reply) || reply[1] === undefined) return undefined;
  if (replyText(reply[1]) === "yes") return undefined;
  return `${setting} is no there: run CONFIG SET ${setting} yes, and write it to its redis.conf`;
}

/** Makes a server follow `master`; `""`: makes it a master. */
export async function follow(
  redis: RedisConnection,
  master: string,
  auth: ServerAuth,
): Promise<void> {
  if (master === "") return await replicaOf(redis, "NO", "ONE");
  if (auth.password.isSet) {
    await redis.call("CONFIG", "SET", "masterauth", auth.password.reveal());
    if (auth.user !== "") await redis.call("CONFIG", "SET", "masteruser", auth.user);
  }
  const fault = await tlsFault(redis, "tls-replication");
  if (fault !== undefined) {
    throw new StoreError(
      `${formatAddress(redis.address)} cannot follow ${master} over TLS: ${fault}`,
    );
  }
  const { hostname, port } = parseAddress(master);
  await replicaOf(redis, hostname, `${port}`);
}

async function replicaOf(redis: RedisConnection, host: string, port: string): Promise<void> {
  try {
    await redis.call("REPLICAOF", host, port);
  } catch (error) {
    // Before Redis 5, and in codis-server, it had its older name only.
    if (!(error instanceof RedisError) || !/unknown command/i.test(error.message)) throw error;
    await redis.call("SLAVEOF", host, port);
  }
  await keepRole(redis);
}

/**
 * Has a server write whom it follows into its config file, as Sentinel does: otherwise it is a master after its next
 * start. One that has no such file, or may not write it, stays as it is.
 */
export async function keepRole(redis: RedisConnection): Promise<void> {
  const [reply] = await redis.pipeline([["CONFIG", "REWRITE"]]);
  if (!(reply instanceof RedisError)) return;
  const address = formatAddress(redis.address);
  log.debug("{address} does not write its config file: {error}", { address, error: reply });
}

/** Where nobody listens. */
const NOWHERE = 1;

/**
 * What a master that must take no writes is told to follow: a port where nobody listens. With its own it would wait
 * for its own answer, before Redis 3.2 and with TLS, and answer nobody for 5 s.
 */
export function freezingAddress(addr: string): string {
  return formatAddress({ hostname: parseAddress(addr).hostname, port: NOWHERE });
}

/** Whether what a server follows says that it is frozen. */
export function isFrozenBy(master: string, addr: string): boolean {
  const { hostname } = parseAddress(addr);
  return isSameServer(master, addr) ||
    isSameServer(master, formatAddress({ hostname, port: NOWHERE }));
}
