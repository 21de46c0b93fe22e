/**
 * Calls of MIGRATE between two servers, and what is done when one fails.
 *
 * As in router/slots/key_fetch.ts, MIGRATE never replaces: a key is the source's until the target has it, then
 * the target's. What happens when a call fails:
 *
 *      OK, NOKEY             moved, by us or by a proxy
 *      BUSYKEY               the target has some of the keys: of a move of a proxy, or of ours, only the
 *                            target has heard, or the source came back with old data. The source's copies
 *                            of these are dropped, the others moved
 *      IOERR                 the keys may be at both servers, or in between. The source keeps them. The
 *                            target's connections that may bring late copies are closed, for which it must
 *                            answer; then the keys are moved again, once; after that the task waits
 *      target out of memory, the keys stay at the source; the task waits and tries again, with a problem
 *      not master, loading   for the operator
 *      a server is gone      the same; a call without a reply counts as IOERR
 *      one key refused       it stays, with its slot in `migrate`; all others go on
 *
 * @module
 */

import { isWrongPassword } from "../../base/secret.ts";
import { parseAddress } from "../../base/address.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { RedisConnection, Word } from "../../redis/connection.ts";
import { RedisError } from "../../redis/reply.ts";
import type { MovingKey } from "./key_queue.ts";
import { endRestores } from "./late_copy_guard.ts";
import { type MoveContext, MoveError } from "./mover.ts";
import { dropKeys, heldKeys, textOfKey } from "./server_keys.ts";

/** Keys of one round that the target may refuse; with more, the servers do not fit. */
const STUCK_KEYS_MAX = 100;

/** The slot of the probe key. */
export const NO_SLOT = -1;

/** Time between two times that slots are told, in milliseconds: not for every key. */
const COUNT_MS = 50;

/** How one call is made. */
interface CallOptions {
  /** Longest time that MIGRATE waits for the target, in milliseconds. */
  readonly migrateMs: number;
  /** A connection to the source. */
  readonly redis: RedisConnection;
}

/** See the header. */
export class MigrateCalls {
  readonly #context: MoveContext;
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  readonly #hasSizes: boolean;
  readonly #isLeaving: boolean;
  readonly #withSizes: (keys: readonly MovingKey[]) => Promise<readonly MovingKey[]>;
  #stuck = new Map<number, string>();
  #stuckKeys = 0;
  readonly #running = new Set<Promise<void>>();
  /** When the last call ended, in monotonic milliseconds. */
  #endMs = 0;
  /** Keys of each slot that were moved since slots were told, and the memory that they took. */
  readonly #movedKeys = new Uint32Array(SLOT_COUNT);
  readonly #movedBytes = new Float64Array(SLOT_COUNT);
  #countedMs = 0;

  /**
   * @param source A connection to the source that waits for MIGRATE.
   * @param hasSizes Whether the keys' sizes are known.
   * @param isLeaving Whether the source is a codis-server: its MIGRATE knows one key, and no password.
   * @param withSizes Asks for sizes that were guessed; leaves out keys that must go alone.
   */
  constructor(
    context: MoveContext,
    source: RedisConnection,
    target: RedisConnection,
    hasSizes: boolean,
    isLeaving: boolean,
    withSizes: (keys: readonly MovingKey[]) => Promise<readonly MovingKey[]>,
  ) {
    this.#context = context;
    this.#source = source;
    this.#target = target;
    this.#hasSizes = hasSizes;
    this.#isLeaving = isLeaving;
    this.#withSizes = withSizes;
  }

  /** Slots with keys that the target refused since `forgetStuck`, and why. */
  get stuck(): ReadonlyMap<number, string> {
    return this.#stuck;
  }

  /** Forgets keys that the target refused: they are tried again. */
  forgetStuck(): void {
    this.#stuck = new Map();
    this.#stuckKeys = 0;
  }

  /** Resolves when no call is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
    this.countNow();
  }

  /**
   * Moves keys of one database, with all that follows from a failure.
   *
   * @param options A connection and a timeout for keys that need more than the usual.
   * @throws {MoveError | RedisUnreachableError}
   */
  async move(keys: readonly MovingKey[], options: Partial<CallOptions> = {}): Promise<void> {
    const { migrateMs } = this.#context.options;
    const moving = this.#move(keys, { migrateMs, redis: this.#source, ...options }, false);
    this.#running.add(moving);
    try {
      await moving;
    } finally {
      this.#running.delete(moving);
    }
  }

  /** The keys are moved, by us or by a proxy; their slots hear of it now, or soon. */
  count(keys: readonly MovingKey[]): void {
    for (const { slotId, size } of keys) {
      if (slotId === NO_SLOT) continue;
      this.#movedKeys[slotId]!++;
      this.#movedBytes[slotId]! += size;
    }
    const isResting = this.#context.throttle.restMs() > 0;
    if (isResting || performance.now() - this.#countedMs >= COUNT_MS) this.countNow();
  }

  /** Tells slots of all keys that were moved. */
  countNow(): void {
    this.#countedMs = performance.now();
    for (const [slotId, keys] of this.#movedKeys.entries()) {
      if (keys === 0) continue;
      const bytes = this.#hasSizes ? this.#movedBytes[slotId] : undefined;
      this.#context.progress(slotId)?.moved(keys, bytes);
      this.#movedKeys[slotId] = this.#movedBytes[slotId] = 0;
    }
  }

  async #move(
    keys: readonly MovingKey[],
    options: CallOptions,
    isSecond: boolean,
  ): Promise<void> {
    if (keys.length === 0) return;
    const { moveLock, pair, throttle } = this.#context;
    const startedMs = performance.now();
    let error: RedisError | undefined;
    try {
      await moveLock(pair.target).shared(() => this.#call(keys, options));
    } catch (caught) {
      if (!(caught instanceof RedisError)) throw caught;
      error = caught;
    }
    const size = keys.reduce((sum, key) => sum + key.size, 0);
    // The server runs one call after the other: a call begins when the one before it has ended.
    const endMs = performance.now();
    throttle.called(keys.length, size, endMs - Math.max(startedMs, this.#endMs));
    this.#endMs = endMs;
    if (error === undefined) return this.count(keys);
    await this.#failed(keys, error, options, isSecond);
  }

  /** Tries the passwords in their order: the target may not have been told of the new one yet. */
  async #call(keys: readonly MovingKey[], options: CallOptions): Promise<void> {
    const passwords = this.#context.options.password.revealAll();
    for (const [i, password] of passwords.entries()) {
      try {
        return await this.#callWith(keys, password, options);
      } catch (error) {
        const isLast = i === passwords.length - 1;
        if (isLast || !(error instanceof RedisError) || !isWrongPassword(error.message)) {
          throw error;
        }
      }
    }
  }

  async #callWith(
    keys: readonly MovingKey[],
    password: string,
    { migrateMs, redis }: CallOptions,
  ): Promise<void> {
    const { pair, options: { user } } = this.#context;
    const { hostname, port } = parseAddress(pair.target);
    const { database, bytes } = keys[0]!;
    if (this.#isLeaving) {
      const words = ["MIGRATE", hostname, port, bytes, database, migrateMs];
      return await this.#ask(redis, database, words);
    }
    const auth = password === ""
      ? []
      : user === ""
      ? ["AUTH", password]
      : ["AUTH2", user, password];
    const where = [hostname, port, "", database, migrateMs];
    const names = keys.map((key) => key.bytes);
    await this.#ask(redis, database, ["MIGRATE", ...where, ...auth, "KEYS", ...names]);
  }

  async #ask(redis: RedisConnection, database: number, words: readonly Word[]): Promise<void> {
    const replies = await redis.pipeline([["SELECT", database], words]);
    for (const reply of replies) if (reply instanceof RedisError) throw reply;
  }

  async #failed(
    keys: readonly MovingKey[],
    { message }: RedisError,
    options: CallOptions,
    isSecond: boolean,
  ): Promise<void> {
    const { pair: { source, target }, moveLock } = this.#context;
    const { database } = keys[0]!;
    if (message.startsWith("IOERR")) {
      if (isSecond) {
        throw new MoveError(`keys cannot be moved from ${source} to ${target}: ${message}`);
      }
      await moveLock(target).exclusive(() => endRestores(this.#target, true));
      // One of them may have taken too long.
      return await this.#move(await this.#withSizes(await this.#left(keys)), options, true);
    }
    const cause = message.replace(/^ERR Target instance replied with error: /, "");
    if (/BUSYKEY/.test(cause)) {
      const both = await heldKeys(this.#target, database, keys) as MovingKey[];
      await this.#dropCopies(both);
      const others = keys.filter((key) => !both.includes(key));
      return await this.#move(await this.#left(others), options, false);
    }
    if (isOfServer(cause)) {
      if (this.#isLeaving && cause.startsWith("NOAUTH")) {
        throw new MoveError(
          `${target} takes no keys: a codis-server knows no password for it; take keys by promotion instead, or ` +
            `run ACL SETUSER default nopass at ${target} while slots move`,
        );
      }
      if (cause === message) throw new MoveError(`${source} gives no keys: ${cause}`);
      const error = this.#target.withRemedy(new RedisError(cause), ["RESTORE"]);
      throw new MoveError(`${target} takes no keys: ${error.message}`);
    }
    const left = await this.#left(keys);
    if (left.length > 1) {
      for (const key of left) await this.#move([key], options, false);
    } else if (left.length === 1) {
      this.#refused(left[0]!, cause);
    }
  }

  /** The target has these keys: the source's copies are old. */
  async #dropCopies(keys: readonly MovingKey[]): Promise<void> {
    if (keys.length === 0) return;
    await dropKeys(this.#source, keys[0]!.database, keys);
    this.count(keys);
  }

  /** The keys that the source still has; the others are counted. */
  async #left(keys: readonly MovingKey[]): Promise<MovingKey[]> {
    if (keys.length === 0) return [];
    const left = await heldKeys(this.#source, keys[0]!.database, keys) as MovingKey[];
    this.count(keys.filter((key) => !left.includes(key)));
    return left;
  }

  #refused(key: MovingKey, cause: string): void {
    // The probe key is none that anybody has to know.
    const text = key.slotId === NO_SLOT
      ? cause
      : `key "${textOfKey(key.bytes)}" of database ${key.database} stays at ` +
        `${this.#context.pair.source}: ${cause}`;
    if (!this.#stuck.has(key.slotId)) this.#stuck.set(key.slotId, text);
    if (++this.#stuckKeys > STUCK_KEYS_MAX) {
      throw new MoveError(`${this.#stuckKeys} keys cannot be moved, one of them: ${text}`);
    }
  }
}

/** Whether an error of a target is about the server, not about one key. */
function isOfServer(cause: string): boolean {
  return /^(OOM|READONLY|LOADING|MASTERDOWN|MISCONF|NOAUTH|WRONGPASS|NOPERM|NOREPLICAS|CLUSTERDOWN)/
    .test(cause) || /unknown command|invalid password|DB index|without any password/i.test(cause);
}
