/**
 * Holds writes off a master while its last changes reach the replica that takes its place.
 *
 *     Redis 6.2 and later: CLIENT PAUSE … WRITE: writes wait; the server ends it by itself
 *     before that:         CONFIG SET min-slaves-to-write 1000: writes get -NOREPLICAS
 *
 *     noted in the store ─► held off ─► … frozen, as a replica of its own (promote.ts) …
 *                                    ─► settings as they were, master again ─► note deleted
 *
 * Neither the setting nor the freezing ends by itself. As long as the note is in the store, the
 * dashboard that leads tries to set the server back, even if another dashboard has held it off.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { Operation } from "../coordinator/coordinator.ts";
import { NoNodeError } from "../coordinator/errors.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfo } from "../redis/info.ts";
import { RedisError, replyText } from "../redis/reply.ts";
import {
  encodeWriteHold,
  loadHeldAddrs,
  loadWriteHold,
  type WriteHold,
} from "../store/write_holds.ts";
import type { Control } from "./control.ts";
import { ForceableError, NotLeaderError } from "./errors.ts";
import { follow, isFrozenBy, keepRole, replicationOf, type ServerAuth } from "./servers.ts";
import { loadIntent } from "./intent.ts";

/** How long writes may wait at a server that can let them wait, in milliseconds. */
export const PAUSE_MS = 5_000;
/** More replicas than any server has: none of its writes has enough of them. */
const REPLICAS_NEEDED = 1_000;
/** Used where `min-slaves-max-lag` is 0, which switches `min-slaves-to-write` off; in seconds. */
const MAX_LAG_SECONDS = 10;
/** Shorter than sessions with a coordinator are, in milliseconds. */
const SESSION_MIN_MS = 2_500;
/** Wait between two tries to set a server back, in milliseconds. */
const RETRY_MS = 2_000;

const log = logger("dashboard");

/** How writes are held off: they wait, or are refused. */
export type HoldKind = "wait" | "refuse";

/** A server whose writes are held off. */
export interface HeldServer {
  readonly addr: string;
  readonly redis: RedisConnection;
  readonly kind: HoldKind;
  /** Since when, in monotonic milliseconds. */
  readonly sinceMs: number;
  /** Its settings before; undefined: the note in the store has them. */
  readonly before?: WriteHold;
}

/** Whether no other dashboard can lead yet: the session of the one that held writes off has not ended. */
export function isSurelyOurs({ sinceMs }: HeldServer): boolean {
  return performance.now() - sinceMs < SESSION_MIN_MS;
}

/** See the header. */
export class WriteHolds {
  readonly #control: Control;
  readonly #auth: ServerAuth;
  readonly #transact: (operations: readonly Operation[]) => Promise<void>;
  /** Servers of a promotion under way. */
  readonly #inUse = new Set<string>();
  /** Setting back what was left: a promotion begins after it. */
  #releasing: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = true;

  /** `transact` changes the store, provided that this dashboard leads. */
  constructor(
    control: Control,
    auth: ServerAuth,
    transact: (operations: readonly Operation[]) => Promise<void>,
  ) {
    this.#control = control;
    this.#auth = auth;
    this.#transact = transact;
  }

  /** Starts to set back servers that earlier dashboards have left, and retries until it is done. */
  start(): void {
    this.#isStopped = false;
    this.#releaseSoon();
  }

  /** Ends retries. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * Holds writes off. Borrows `redis` until {@linkcode WriteHolds.release}.
   *
   * @throws {ForceableError} When the server knows no way to do so.
   */
  async hold(addr: string, redis: RedisConnection): Promise<HeldServer> {
    this.#inUse.add(addr);
    await this.#releasing;
    const sinceMs = performance.now();
    let kind: HoldKind = "refuse";
    try {
      if (await letWait(addr, redis)) {
        kind = "wait";
        const isUnchanged = { min_slaves_to_write: "", min_slaves_max_lag: "" };
        const before = await this.#note(addr, { since: Date.now(), ...isUnchanged });
        return { addr, redis, kind, sinceMs, before };
      }
      return { addr, redis, kind, sinceMs, before: await this.#refuseWrites(addr, redis) };
    } catch (error) {
      await this.release({ addr, redis, kind, sinceMs });
      if (!(error instanceof RedisError)) throw error;
      throw new ForceableError(
        `${addr} cannot hold writes off: it knows neither CLIENT PAUSE with WRITE nor ` +
          `min-slaves-to-write (${error.message}); force it if writes of that moment may be lost`,
      );
    }
  }

  /** Lets a server take writes again; where it does not answer, this is tried again later. */
  async release(held: HeldServer): Promise<void> {
    const { addr, redis, kind, before } = held;
    this.#inUse.delete(addr);
    try {
      // Another leader may hold it off at this moment. While none can lead, the store need not answer.
      if (!isSurelyOurs(held)) await this.#transact([]);
      await this.#setBack(addr, redis, before);
      if (kind === "wait") await redis.call("CLIENT", "UNPAUSE");
    } catch (error) {
      if (error instanceof NotLeaderError) return;
      this.#control.report(
        "error",
        `${addr} may refuse writes as a master, setting it back is retried: ` +
          `${(error as Error).message}`,
      );
      this.#retryLater();
    }
  }

  /** Of a server that was not released, because clients must not write to it yet: from now on they may. */
  leave(addr: string): void {
    if (this.#inUse.delete(addr)) this.#releaseSoon();
  }

  /** @returns What is noted: what stood there already was noted before the setting was ours. */
  async #note(addr: string, before: WriteHold): Promise<WriteHold> {
    const { store } = this.#control;
    const noted = await loadWriteHold(store, addr);
    if (noted !== undefined) return noted;
    const path = store.paths.writeHold(addr);
    await this.#transact([{ create: path, data: encodeWriteHold(before), isLeaf: true }]);
    return before;
  }

  async #refuseWrites(addr: string, redis: RedisConnection): Promise<WriteHold> {
    const before: WriteHold = {
      since: Date.now(),
      min_slaves_to_write: await configOf(redis, "min-slaves-to-write"),
      min_slaves_max_lag: await configOf(redis, "min-slaves-max-lag"),
    };
    const noted = await this.#note(addr, before);
    if (before.min_slaves_max_lag === "0") {
      await redis.call("CONFIG", "SET", "min-slaves-max-lag", MAX_LAG_SECONDS);
    }
    await redis.call("CONFIG", "SET", "min-slaves-to-write", REPLICAS_NEEDED);
    return noted;
  }

  async #setBack(addr: string, redis: RedisConnection, before?: WriteHold): Promise<void> {
    const { store } = this.#control;
    const hold = before ?? await loadWriteHold(store, addr);
    if (hold === undefined) return;
    const { master } = replicationOf(await readInfo(redis, "replication"));
    if (isFrozenBy(master, addr)) await follow(redis, "", this.#auth);
    // The setting may have been changed since, or the server was restarted.
    if (
      hold.min_slaves_to_write !== "" &&
      await configOf(redis, "min-slaves-to-write") === `${REPLICAS_NEEDED}`
    ) {
      await redis.call("CONFIG", "SET", "min-slaves-to-write", hold.min_slaves_to_write);
      await redis.call("CONFIG", "SET", "min-slaves-max-lag", hold.min_slaves_max_lag);
      // What it was for a moment may be in its file since it was told whom to follow.
      await keepRole(redis);
    }
    try {
      await this.#transact([{ delete: store.paths.writeHold(addr) }]);
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
    }
  }

  async #releaseLeft(): Promise<void> {
    const { store } = this.#control;
    const addrs = (await loadHeldAddrs(store)).filter((each) => !this.#inUse.has(each));
    if (addrs.length === 0) return;
    // What is not finished may be that another server takes its place.
    if (await loadIntent(store) !== undefined) return this.#retryLater();
    for (const addr of addrs) {
      try {
        using redis = await this.#control.redis(addr);
        await this.#setBack(addr, redis);
        this.#control.report(
          "warning",
          `${addr} takes writes as a master again: a promotion had left it refusing them`,
        );
      } catch (error) {
        log.warn("{addr} still refuses writes, retrying: {error}", { addr, error });
        this.#retryLater();
      }
    }
  }

  #retryLater(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => this.#releaseSoon(), RETRY_MS);
  }

  #releaseSoon(): void {
    this.#releasing = this.#releaseLeft().catch((error) => {
      log.warn("servers that refuse writes cannot be read from the store, retrying: {error}", {
        error,
      });
      this.#retryLater();
    });
  }
}

/** Has writes wait for a while; false when the server does not know of that. */
async function letWait(addr: string, redis: RedisConnection): Promise<boolean> {
  try {
    await redis.call("CLIENT", "PAUSE", PAUSE_MS, "WRITE");
    return true;
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    log.debug("{addr} cannot let writes wait, so they are refused: {error}", { addr, error });
    return false;
  }
}

/** @throws {RedisError} When the server does not know the setting, or may not answer. */
async function configOf(redis: RedisConnection, name: string): Promise<string> {
  const reply = await redis.call("CONFIG", "GET", name);
  const value = Array.isArray(reply) ? replyText(reply[1] ?? null) : "";
  if (value === "") throw new RedisError(`ERR CONFIG GET ${name} returns nothing`);
  return value;
}
