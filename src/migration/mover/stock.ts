/**
 * Moves slots' keys between servers that know nothing of slots, with SCAN and MIGRATE.
 *
 *      scan ─► keys of our slots ─► sizes ─► line ─► calls of 1.4 ms: MIGRATE … KEYS k k k …
 *        └─ the next ones meanwhile   └─ big ones: alone, at the end, or never (big_keys.ts)
 *
 * One look at all keys moves those of every slot at hand, and proves those slots empty of which it saw
 * none: since they are in `migrate` nobody makes such keys at the source. So a slot with keys takes two
 * looks, the second of which is the first one of slots that came later.
 *
 * As in router/slots/key_fetch.ts, MIGRATE never replaces: a key is the source's until the target has it, then
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

import { parseAddress } from "../../base/address.ts";
import { sleep } from "../../base/sleep.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { RedisError } from "../../redis/reply.ts";
import { utf8 } from "../../resp/encoder.ts";
import { type BigKey, BigKeys } from "../big_keys.ts";
import { KeyQueue, type MovingKey } from "./key_queue.ts";
import { type MoveContext, MoveError, type RoundResult, type SlotMover } from "./mover.ts";
import { becomeOnlyMover, endRestores, MOVER_NAME } from "./late_copy_guard.ts";
import { dropKeys, heldKeys, scanKeys, type SlotKey, textOfKey } from "./server_keys.ts";
import { TRIAL_DATABASE, TRIAL_MS, trialKey } from "../../resp/probe_key.ts";
import { LoadProbe } from "./load_probe.ts";
import { clearOrphans } from "./orphan_keys.ts";

/** Calls under way at once where nothing is to be spared: the source need not wait for us. */
const LANES = 2;
/** Keys that one look may find unmovable before it is given up: the servers do not fit. */
const STUCK_KEYS_MAX = 100;
/** Longest reply to anything but MIGRATE, in milliseconds. */
const REPLY_MS = 5_000;
/** Longest reply to MIGRATE: it waits for the target several times. */
const MIGRATE_REPLY_MS = 20_000;
/** Speed at which a big key moves at least, in bytes per millisecond. */
const BIG_KEY_SPEED = 5_000;

/** The size of a key that is not there any more. */
const GONE = -1;

const MEMORY = utf8("MEMORY");
const USAGE = utf8("USAGE");

/** See the header. */
export class StockMover implements SlotMover {
  readonly kind = "stock";
  readonly #context: MoveContext;
  readonly #scanner: RedisConnection;
  readonly #migrator: RedisConnection;
  readonly #target: RedisConnection;
  readonly #probe: LoadProbe;
  readonly #sizes: "known" | "unknown";
  #bigKeys: BigKeys;
  /** Big keys of slots that were looked at and have not begun. */
  readonly #surveyed = new Map<number, BigKey[]>();
  #stuck = new Map<number, string>();
  #stuckKeys = 0;
  #seen = new Set<number>();
  readonly #calls = new Set<Promise<void>>();
  #calledMs = 0;

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
    this.#probe = new LoadProbe(scanner, target, context);
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
    const made = await this.#migrator.pipeline([
      ["SELECT", TRIAL_DATABASE],
      ["SET", bytes, "", "PX", TRIAL_MS],
    ]);
    for (const reply of made) {
      if (reply instanceof RedisError) {
        throw new MoveError(`${this.#context.pair.source}: ${reply.message}`);
      }
    }
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
    const strays = await clearOrphans(this.#target, this.#scanner, new Set(slotIds), addrs);
    return mayHaveOthers ? new Map() : strays;
  }

  async survey(
    slotIds: readonly number[],
    upcoming: readonly number[],
  ): Promise<ReadonlyMap<number, string>> {
    const unknown = new Set([...slotIds, ...upcoming].filter((id) => !this.#surveyed.has(id)));
    if (slotIds.some((slotId) => unknown.has(slotId)) && this.#sizes === "known") {
      // What others ask for is seen best before we ask for every key's size.
      await this.#probe.look();
      for (const slotId of unknown) this.#surveyed.set(slotId, []);
      for await (const { database, keys } of scanKeys(this.#scanner, unknown)) {
        for (const key of await this.#sizesOf(database, keys)) {
          if (key.size >= this.#context.options.bigKeyBytes) {
            this.#surveyed.get(key.slotId)!.push(key);
          }
        }
      }
    }
    const bigKeys = new BigKeys(this.#context);
    for (const slotId of slotIds) {
      for (const key of this.#surveyed.get(slotId) ?? []) bigKeys.add(key);
      // It may come again, with other keys.
      this.#surveyed.delete(slotId);
    }
    return bigKeys.refused;
  }

  async fence(isInDoubt: boolean): Promise<void> {
    await endRestores(this.#target, isInDoubt);
    await endRestores(this.#scanner, isInDoubt);
  }

  async pass(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<RoundResult> {
    const begun = [...slotIds];
    this.#stuck = new Map();
    this.#stuckKeys = 0;
    this.#seen = new Set();
    this.#bigKeys = new BigKeys(this.#context);
    for (const slotId of begun) this.#context.progress(slotId)?.lookBegins();
    await this.#probe.look();
    const line = new KeyQueue();
    const lanes = Array.from(
      { length: LANES },
      (_, lane) => this.#move(line, lane, slotIds, signal).catch((error) => line.fail(error)),
    );
    try {
      for await (const found of scanKeys(this.#scanner, slotIds)) {
        signal.throwIfAborted();
        await line.put(await this.#sized(found.database, found.keys));
        this.#looked(slotIds, found.fraction);
        await this.#probe.look();
      }
      line.end();
    } catch (error) {
      line.fail(error);
    } finally {
      await Promise.all(lanes);
    }
    line.check();
    this.#bigKeys.forgetOthers(begun);
    await this.#bigKeys.moveAll((key) => this.#moveBig(key, slotIds), signal);
    const clean = begun.filter((slotId) => slotIds.has(slotId) && !this.#seen.has(slotId));
    return { clean, stuck: this.#stuck, refused: this.#bigKeys.refused };
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#calls);
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
    const moving: MovingKey[] = [];
    for (const key of await this.#sizesOf(database, keys)) {
      if (key.size === GONE) this.#context.progress(key.slotId)?.moved(1); // a proxy has moved it
      else if (key.size < this.#context.options.bigKeyBytes) moving.push(key);
      else this.#bigKeys.add(key);
    }
    return moving;
  }

  /** The keys with the memory each takes; {@linkcode GONE} when it is not there any more. */
  async #sizesOf(database: number, keys: readonly SlotKey[]): Promise<MovingKey[]> {
    const sizes = await this.#scanner.pipeline(keys.map(({ bytes }) => [MEMORY, USAGE, bytes]));
    this.#probe.sent(keys.length);
    return keys.map(({ bytes, slotId }, i) => {
      const size = sizes[i];
      return { bytes, slotId, database, size: size === null ? GONE : Number(size) || 0 };
    });
  }

  /** Moves keys from the line; the second lane only where nothing is to be spared. */
  async #move(
    line: KeyQueue,
    lane: number,
    slotIds: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<void> {
    const { throttle } = this.#context;
    while (!signal.aborted) {
      if (lane > 0 && !throttle.isUnlimited) return;
      await sleep(throttle.restMs(), signal);
      const keys = await line.take(() => throttle.keys, slotIds);
      if (keys.length === 0 || signal.aborted) break;
      await this.#until(this.#migrate(keys, this.#migrateMs));
    }
    signal.throwIfAborted();
  }

  /** Does work that others may have to wait for, with all that follows when it fails. */
  async #until(work: Promise<void>): Promise<void> {
    this.#calls.add(work);
    try {
      await work;
    } finally {
      this.#calls.delete(work);
    }
  }

  async #moveBig(key: MovingKey, slotIds: ReadonlySet<number>): Promise<void> {
    if (!slotIds.has(key.slotId)) return;
    const { control, pair } = this.#context;
    const migrateMs = Math.ceil(this.#migrateMs + key.size / BIG_KEY_SPEED);
    // It may take longer than any other call: that needs a connection with more patience.
    using patient = await control.redis(pair.source, MIGRATE_REPLY_MS + 2 * migrateMs);
    await patient.call("CLIENT", "SETNAME", MOVER_NAME);
    // Of a slot that was taken away meanwhile, keys may go the other way by now.
    if (!slotIds.has(key.slotId)) return;
    await this.#until(this.#migrate([key], migrateMs, patient));
  }

  get #migrateMs(): number {
    return this.#context.options.migrateMs;
  }

  /** One call, whatever comes of it; keys are of one database. */
  async #migrate(
    keys: readonly MovingKey[],
    migrateMs: number,
    redis = this.#migrator,
    isSecond = false,
  ): Promise<void> {
    if (keys.length === 0) return;
    const { throttle } = this.#context;
    const startedMs = performance.now();
    let error: RedisError | undefined;
    try {
      await this.#context.moveLock(this.#context.pair.target).shared(() =>
        this.#callMigrate(keys, migrateMs, redis)
      );
    } catch (caught) {
      if (!(caught instanceof RedisError)) throw caught;
      error = caught;
    }
    const size = keys.reduce((sum, key) => sum + key.size, 0);
    // The server does one after the other: a call begins when the one before it has ended.
    const endMs = performance.now();
    throttle.called(keys.length, size, endMs - Math.max(startedMs, this.#calledMs));
    this.#calledMs = endMs;
    if (error === undefined) return this.#moved(keys);
    await this.#failed(
      keys,
      error,
      (left, again) => this.#migrate(left, migrateMs, redis, again),
      isSecond,
    );
  }

  async #callMigrate(
    keys: readonly MovingKey[],
    migrateMs: number,
    redis: RedisConnection,
  ): Promise<void> {
    const { pair, options: { user, password } } = this.#context;
    const { hostname, port } = parseAddress(pair.target);
    const { database } = keys[0]!;
    const auth = !password.isSet
      ? []
      : user === ""
      ? ["AUTH", password.reveal()]
      : ["AUTH2", user, password.reveal()];
    const where = [hostname, port, "", database, migrateMs];
    this.#probe.sent(2);
    const replies = await redis.pipeline([
      ["SELECT", database],
      ["MIGRATE", ...where, ...auth, "KEYS", ...keys.map(({ bytes }) => bytes)],
    ]);
    for (const reply of replies) if (reply instanceof RedisError) throw reply;
  }

  #moved(keys: readonly MovingKey[]): void {
    this.#probe.arrived(keys.length);
    for (const { slotId, size } of keys) {
      this.#context.progress(slotId)?.moved(1, this.#sizes === "known" ? size : undefined);
    }
  }

  async #failed(
    keys: readonly MovingKey[],
    error: RedisError,
    migrate: (keys: readonly MovingKey[], isSecond: boolean) => Promise<void>,
    isSecond: boolean,
  ): Promise<void> {
    const { pair: { source, target }, moveLock } = this.#context;
    const { message } = error;
    const { database } = keys[0]!;
    if (message.startsWith("IOERR")) {
      if (isSecond) throw new MoveError(`${source} cannot give keys to ${target}: ${message}`);
      await moveLock(target).exclusive(() => endRestores(this.#target, true));
      return await migrate(await this.#left(keys), true);
    }
    const cause = message.replace(/^ERR Target instance replied with error: /, "");
    if (/BUSYKEY/.test(cause)) {
      const both = await heldKeys(this.#target, database, keys) as MovingKey[];
      await this.#dropCopies(both);
      return await migrate(await this.#left(keys.filter((key) => !both.includes(key))), false);
    }
    if (isOfServer(cause)) {
      const isFromTarget = cause !== message;
      throw new MoveError(
        isFromTarget ? `${target} takes no keys: ${cause}` : `${source} gives no keys: ${cause}`,
      );
    }
    const left = await this.#left(keys);
    if (left.length > 1) {
      for (const key of left) await migrate([key], false);
    } else if (left.length === 1) {
      this.#refused(left[0]!, cause);
    }
  }

  /** The target has these keys: the source's copies are none any more. */
  async #dropCopies(keys: readonly MovingKey[]): Promise<void> {
    if (keys.length === 0) return;
    await dropKeys(this.#migrator, keys[0]!.database, keys);
    this.#moved(keys);
  }

  /** The keys that the source still has; the others are counted. */
  async #left(keys: readonly MovingKey[]): Promise<MovingKey[]> {
    if (keys.length === 0) return [];
    const left = await heldKeys(this.#migrator, keys[0]!.database, keys) as MovingKey[];
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
