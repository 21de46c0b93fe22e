/**
 * Moves slots' keys between servers that know nothing of slots, with SCAN and MIGRATE.
 *
 *      scan ─► keys of our slots ─► sizes ─► calls of a millisecond: MIGRATE … KEYS k k k … ─► counted
 *        └─ the next 1000 meanwhile └─ big ones: alone, at the end
 *
 * One look at all keys moves those of every slot at hand, and proves those slots empty of which it saw
 * none: since they are in `migrate` nobody makes such keys at the source. So a slot with keys takes two
 * looks, the second of which is the first one of slots that came later.
 *
 * As in router/key_mover.ts, MIGRATE never replaces: a key is the source's until the target has it, then
 * the target's. What happens when a call fails:
 *
 *      OK, NOKEY             moved, by us or by a proxy
 *      BUSYKEY               the target has some of the keys: a proxy's move, or ours, was heard of at the
 *                            target only, or the source came back with old data. The source's copies of
 *                            these are dropped, the others moved
 *      IOERR                 the keys may be at both servers, or on their way. The source keeps them. The
 *                            target's connections that may bring late copies are ended, for which it must
 *                            answer; then they are moved again, once; after that the task rests a while
 *      target out of memory, the keys stay at the source, the task rests and tries again: a problem that
 *      not master, loading   somebody has to see to
 *      source or target gone the same; a move that nobody heard the end of counts as IOERR
 *      one key refused       it stays, with its slot in `migrate`; all others go on
 *
 * @module
 */

import { parseAddress } from "../base/address.ts";
import { sleep } from "../base/sleep.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { RedisError } from "../redis/reply.ts";
import { BigKeys } from "./big_keys.ts";
import { type KeyMover, type MoveContext, MoveError, type PassResult } from "./key_mover.ts";
import { becomeOnlyMover, endRestores, MOVER_NAME } from "./restore_fence.ts";
import { dropKeys, heldKeys, scanKeys, type SlotKey, textOfKey } from "./server_keys.ts";
import { TRIAL_DATABASE, TRIAL_MS, trialKey } from "./trial_key.ts";
import { LoadProbe } from "./load_probe.ts";
import { clearStrays } from "./stray_keys.ts";

/** Most bytes of one call; a larger key goes alone. */
const CALL_BYTES_MAX = 256 * 1024;
/** Keys that one look may find unmovable before it is given up: the servers do not fit. */
const STUCK_KEYS_MAX = 100;
/** Longest reply to anything but MIGRATE, in milliseconds. */
const REPLY_MS = 5_000;
/** Longest reply to MIGRATE: it waits for the target several times. */
const MIGRATE_REPLY_MS = 20_000;
/** Speed at which a big key moves at least, in bytes per millisecond. */
const BIG_KEY_SPEED = 5_000;

/** A key that is to be moved. */
export interface MovingKey extends SlotKey {
  readonly database: number;
  /** Memory it takes at the source; 0 where that is not known. */
  readonly size: number;
}

/** See the header. */
export class StockMover implements KeyMover {
  readonly kind = "stock";
  readonly #context: MoveContext;
  readonly #scanner: RedisConnection;
  readonly #migrator: RedisConnection;
  readonly #target: RedisConnection;
  readonly #probe: LoadProbe;
  readonly #sizes: "known" | "unknown";
  #bigKeys: BigKeys;
  #stuck = new Map<number, string>();
  #stuckKeys = 0;
  #seen = new Set<number>();
  #selected = -1;
  #call: Promise<unknown> = Promise.resolve();

  private constructor(
    context: MoveContext,
    scanner: RedisConnection,
    migrator: RedisConnection,
    target: RedisConnection,
    hasSizes: boolean,
  ) {
    this.#context = context;
    this.#scanner = scanner;
    this.#migrator = migrator;
    this.#target = target;
    this.#probe = new LoadProbe(scanner, target, context.pace);
    this.#sizes = hasSizes ? "known" : "unknown";
    this.#bigKeys = new BigKeys(context);
  }

  /**
   * Connects to both servers; any other mover of the source's keys ends.
   *
   * @throws {RedisUnreachableError | RedisError}
   */
  static async open(context: MoveContext): Promise<StockMover> {
    const { control, pair } = context;
    const opened: RedisConnection[] = [];
    try {
      const connect = async (addr: string, replyMs: number) => {
        const redis = await control.redis(addr, replyMs);
        opened.push(redis);
        return redis;
      };
      const target = await connect(pair.target, REPLY_MS);
      const scanner = await connect(pair.source, REPLY_MS);
      await becomeOnlyMover(scanner);
      const migrator = await connect(pair.source, MIGRATE_REPLY_MS);
      await migrator.call("CLIENT", "SETNAME", MOVER_NAME);
      // Redis 3.2 has no MEMORY.
      const [usage] = await scanner.pipeline([["MEMORY", "USAGE", ""]]);
      return new StockMover(context, scanner, migrator, target, !(usage instanceof RedisError));
    } catch (error) {
      for (const redis of opened) redis.close();
      throw error;
    }
  }

  async tryOut(): Promise<void> {
    const bytes = trialKey();
    await this.#select(TRIAL_DATABASE);
    await this.#migrator.call("SET", bytes, "", "PX", TRIAL_MS);
    const key = { bytes, slotId: -1, database: TRIAL_DATABASE, size: 0 };
    this.#stuck = new Map();
    try {
      await this.#migrate([key], this.#migrateMs);
    } finally {
      if (this.#migrator.isOpen) await this.#migrator.pipeline([["DEL", bytes]]);
    }
    await this.#target.pipeline([["SELECT", TRIAL_DATABASE], ["DEL", bytes]]);
    for (const cause of this.#stuck.values()) throw new MoveError(cause);
  }

  async clearTarget(
    slotIds: readonly number[],
    mayHaveOthers: boolean,
  ): Promise<ReadonlyMap<number, string>> {
    const { pair: { source, target } } = this.#context;
    const addrs = { target, owner: source };
    const strays = await clearStrays(this.#target, this.#scanner, new Set(slotIds), addrs);
    return mayHaveOthers ? new Map() : strays;
  }

  async fence(isInDoubt: boolean): Promise<void> {
    await endRestores(this.#target, isInDoubt);
    await endRestores(this.#scanner, isInDoubt);
  }

  async pass(slotIds: ReadonlySet<number>, aborted: AbortSignal): Promise<PassResult> {
    const failed = new AbortController();
    const signal = AbortSignal.any([aborted, failed.signal]);
    const begun = [...slotIds];
    this.#stuck = new Map();
    this.#stuckKeys = 0;
    this.#seen = new Set();
    this.#bigKeys = new BigKeys(this.#context);
    for (const slotId of begun) this.#context.progress(slotId)?.lookBegins();
    await this.#probe.look();
    // The last thousand keys are moved while the next thousand are looked for.
    let moving: Promise<MovingKey[]> = Promise.resolve([]);
    try {
      for await (const found of scanKeys(this.#scanner, slotIds)) {
        signal.throwIfAborted();
        const keys = await this.#sized(found.database, found.keys);
        const rest = await moving;
        moving = this.#moveFull([...rest, ...keys], slotIds, signal);
        moving.catch(() => {}); // awaited below, or in the next round
        this.#looked(slotIds, found.fraction);
        await this.#probe.look();
      }
      await this.#moveAll(await moving, slotIds, signal);
      await this.#bigKeys.moveAll((key) => this.#moveBig(key, slotIds), signal);
    } finally {
      failed.abort();
      await moving.catch(() => {});
    }
    const clean = begun.filter((slotId) => slotIds.has(slotId) && !this.#seen.has(slotId));
    return { clean, stuck: this.#stuck };
  }

  async settled(): Promise<void> {
    await this.#call.catch(() => {});
  }

  close(): void {
    this.#scanner.close();
    this.#migrator.close();
    this.#target.close();
  }

  #looked(slotIds: ReadonlySet<number>, fraction: number): void {
    for (const slotId of slotIds) this.#context.progress(slotId)?.looked(fraction);
  }

  /** Asks for the keys' sizes; keys that are gone meanwhile are left out. */
  async #sized(database: number, keys: readonly SlotKey[]): Promise<MovingKey[]> {
    for (const { slotId } of keys) {
      this.#seen.add(slotId);
      this.#context.progress(slotId)?.seen(1);
    }
    if (this.#sizes === "unknown") return keys.map((key) => ({ ...key, database, size: 0 }));
    const sizes = await this.#scanner.pipeline(
      keys.map(({ bytes }) => ["MEMORY", "USAGE", bytes]),
    );
    this.#probe.sent(keys.length);
    const moving: MovingKey[] = [];
    for (const [i, { bytes, slotId }] of keys.entries()) {
      const size = sizes[i];
      if (size === null) this.#context.progress(slotId)?.moved(1); // a proxy has moved it
      else if (typeof size !== "number") moving.push({ bytes, slotId, database, size: 0 });
      else if (size < this.#context.options.bigKeyBytes) {
        moving.push({ bytes, slotId, database, size });
      } else this.#bigKeys.add({ bytes, slotId, database, size });
    }
    return moving;
  }

  /** Moves as many keys as make full calls, and returns the rest. */
  async #moveFull(
    keys: MovingKey[],
    slotIds: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<MovingKey[]> {
    let at = 0;
    for (;;) {
      const call = nextCall(keys, at, this.#context.pace.keys, slotIds);
      if (call.end === keys.length && !call.isFull) return keys.slice(at);
      at = call.end;
      await this.#move(call.keys, slotIds, signal);
    }
  }

  async #moveAll(
    keys: MovingKey[],
    slotIds: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<void> {
    for (let at = 0; at < keys.length;) {
      const call = nextCall(keys, at, this.#context.pace.keys, slotIds);
      at = call.end;
      await this.#move(call.keys, slotIds, signal);
    }
  }

  async #moveBig(key: MovingKey, slotIds: ReadonlySet<number>): Promise<void> {
    await this.#begin([key], Math.ceil(this.#migrateMs + key.size / BIG_KEY_SPEED), slotIds);
  }

  get #migrateMs(): number {
    return this.#context.options.migrateMs;
  }

  async #move(
    keys: readonly MovingKey[],
    slotIds: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<void> {
    if (keys.length === 0) return;
    const { pace } = this.#context;
    await sleep(pace.restMs(), signal);
    signal.throwIfAborted();
    await this.#begin(keys, this.#migrateMs, slotIds);
  }

  /** Moves keys of slots that are still ours: of one that is not, keys may go the other way by now. */
  async #begin(
    keys: readonly MovingKey[],
    migrateMs: number,
    slotIds: ReadonlySet<number>,
  ): Promise<void> {
    // Whoever takes a slot away waits for all that was begun before, whatever comes of it.
    this.#call = this.#migrate(keys.filter(({ slotId }) => slotIds.has(slotId)), migrateMs);
    await this.#call;
  }

  /** One call, whatever comes of it; keys are of one database. */
  async #migrate(keys: readonly MovingKey[], migrateMs: number, isSecond = false): Promise<void> {
    if (keys.length === 0) return;
    const { pace } = this.#context;
    const startedMs = performance.now();
    let error: RedisError | undefined;
    try {
      await this.#context.gate(this.#context.pair.target).send(() =>
        this.#callMigrate(keys, migrateMs)
      );
    } catch (caught) {
      if (!(caught instanceof RedisError)) throw caught;
      error = caught;
    }
    const size = keys.reduce((sum, key) => sum + key.size, 0);
    pace.called(keys.length, size, performance.now() - startedMs);
    if (error === undefined) return this.#moved(keys);
    await this.#failed(keys, error, migrateMs, isSecond);
  }

  async #callMigrate(keys: readonly MovingKey[], migrateMs: number): Promise<void> {
    const { pair, options: { user, password } } = this.#context;
    const { hostname, port } = parseAddress(pair.target);
    const { database } = keys[0]!;
    await this.#select(database);
    const auth = !password.isSet
      ? []
      : user === ""
      ? ["AUTH", password.reveal()]
      : ["AUTH2", user, password.reveal()];
    this.#probe.sent(1);
    await this.#migrator.call(
      ...["MIGRATE", hostname, port, "", database, migrateMs, ...auth, "KEYS"],
      ...keys.map(({ bytes }) => bytes),
    );
  }

  async #select(database: number): Promise<void> {
    if (database === this.#selected) return;
    await this.#migrator.call("SELECT", database);
    this.#selected = database;
  }

  #moved(keys: readonly MovingKey[]): void {
    this.#probe.arrived(keys.length);
    for (const { slotId } of keys) this.#context.progress(slotId)?.moved(1);
  }

  async #failed(
    keys: readonly MovingKey[],
    error: RedisError,
    migrateMs: number,
    isSecond: boolean,
  ): Promise<void> {
    const { pair: { source, target }, gate } = this.#context;
    const { message } = error;
    const { database } = keys[0]!;
    if (message.startsWith("IOERR")) {
      if (isSecond) throw new MoveError(`${source} cannot give keys to ${target}: ${message}`);
      await gate(target).alone(() => endRestores(this.#target, true));
      return await this.#migrate(await this.#left(keys), migrateMs, true);
    }
    const cause = message.replace(/^ERR Target instance replied with error: /, "");
    if (/BUSYKEY/.test(cause)) {
      const both = await heldKeys(this.#target, database, keys) as MovingKey[];
      await this.#dropCopies(both);
      return await this.#migrate(
        await this.#left(keys.filter((key) => !both.includes(key))),
        migrateMs,
      );
    }
    if (isOfServer(cause)) {
      const isFromTarget = cause !== message;
      throw new MoveError(
        isFromTarget ? `${target} takes no keys: ${cause}` : `${source} gives no keys: ${cause}`,
      );
    }
    const left = await this.#left(keys);
    if (left.length > 1) {
      for (const key of left) await this.#migrate([key], migrateMs);
    } else if (left.length === 1) {
      this.#refused(left[0]!, cause);
    }
  }

  /** The target has these keys: the source's copies are none any more. */
  async #dropCopies(keys: readonly MovingKey[]): Promise<void> {
    await dropKeys(this.#migrator, keys);
    this.#moved(keys);
  }

  /** The keys that the source still has; the others are counted. */
  async #left(keys: readonly MovingKey[]): Promise<MovingKey[]> {
    if (keys.length === 0) return [];
    const { database } = keys[0]!;
    this.#selected = database;
    const left = await heldKeys(this.#migrator, database, keys) as MovingKey[];
    this.#moved(keys.filter((key) => !left.includes(key)));
    return left;
  }

  #refused(key: MovingKey, cause: string): void {
    const text = `key "${textOfKey(key.bytes)}" of database ${key.database} stays at ` +
      `${this.#context.pair.source}: ${cause}`;
    if (!this.#stuck.has(key.slotId)) this.#stuck.set(key.slotId, text);
    if (++this.#stuckKeys > STUCK_KEYS_MAX) {
      throw new MoveError(`${this.#stuckKeys} keys cannot be moved, one of them: ${text}`);
    }
  }
}

/** Errors of a target that concern every key. */
function isOfServer(cause: string): boolean {
  return /^(OOM|READONLY|LOADING|MASTERDOWN|MISCONF|NOAUTH|WRONGPASS|NOPERM|NOREPLICAS|CLUSTERDOWN)/
    .test(cause) || /unknown command|invalid password|DB index|without any password/i.test(cause);
}

/** The keys of the next call: of one database, not too many and not too large. */
function nextCall(
  keys: readonly MovingKey[],
  start: number,
  countMax: number,
  slotIds: ReadonlySet<number>,
): { keys: MovingKey[]; end: number; isFull: boolean } {
  const call: MovingKey[] = [];
  let bytes = 0;
  for (let at = start; at < keys.length; at++) {
    const key = keys[at]!;
    if (!slotIds.has(key.slotId)) continue;
    const isOther = call.length > 0 && key.database !== call[0]!.database;
    if (
      isOther || call.length === countMax || (call.length > 0 && bytes + key.size > CALL_BYTES_MAX)
    ) {
      return { keys: call, end: at, isFull: true };
    }
    call.push(key);
    bytes += key.size;
  }
  return { keys: call, end: keys.length, isFull: call.length === countMax };
}
