/**
 * Moves slots' keys between servers that know nothing of slots, with SCAN and MIGRATE.
 *
 *      scan ─► keys of our slots ─► sizes ─► queue ─► calls of 1.4 ms: MIGRATE … KEYS k k k …
 *        └─ the next ones meanwhile   └─ big keys: alone, at the end, or never (big_keys.ts)
 *
 * Sizes are not asked for while nobody uses the servers and their keys are alike (big_key_hint.ts).
 *
 * One scan of all keys moves those of every slot at hand, and proves those slots empty of which it saw
 * none: since they are in `migrate` nobody creates such keys at the source. So a slot with keys takes two
 * rounds, the second of which is the first one of slots that came later. To scan a key costs the source a
 * sixth of what it costs to move it: so all slots are at hand at once, unless clients would notice.
 *
 * @module
 */

import { sleep } from "../../base/sleep.ts";
import type { Placement } from "../../hash/placement.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { RedisError } from "../../redis/reply.ts";
import { utf8 } from "../../resp/encoder.ts";
import { PROBE_DATABASE, PROBE_MS, probeKey } from "../../resp/probe_key.ts";
import { areSameRules } from "../../model/slot_rule.ts";
import { loadPlacement, loadSlotRules } from "../../store/slot_rules.ts";
import { mayHaveBigKeys, usualSize } from "./big_key_hint.ts";
import { BigKeys } from "./big_keys.ts";
import { KeyQueue, type MovingKey } from "./key_queue.ts";
import { KeySampler } from "./key_sampler.ts";
import { becomeOnlyMover, endRestores, MOVER_NAME } from "./late_copy_guard.ts";
import { LoadMeter } from "./load_meter.ts";
import { MigrateCalls, NO_SLOT } from "./migrate_calls.ts";
import {
  type MoveContext,
  MoveError,
  type RoundResult,
  type SlotMover,
  SLOTS_AT_ONCE,
} from "./mover.ts";
import { clearOrphans } from "./orphan_keys.ts";
import { whyProbeRefused } from "./refused_probe.ts";
import { type FoundKeys, scanKeys, type SlotKey, type WantedSlots } from "./server_keys.ts";

/** Keys of one SCAN, which keeps the server busy for about 1.7 ms, with few clients for 0.9 ms, with more for 0.25. */
const SCAN_KEYS = { unseen: 2_000, few: 1_000, shared: 250 };
/** Time between two looks at how far a scan is, in milliseconds. */
const SCANNED_MS = 50;
/** Calls at once where nothing limits the speed: the source need not wait for us. */
const WORKERS = 2;
/** Longest reply to anything but MIGRATE, in milliseconds. */
const REPLY_MS = 5_000;
/** Longest reply to MIGRATE, which waits for the target several times, in milliseconds. */
const MIGRATE_REPLY_MS = 20_000;
/** A call that takes longer may have a key of a size that was not asked for, in milliseconds. */
const SLOW_CALL_MS = 300;
/** Least speed at which a big key moves, in bytes per millisecond. */
const BIG_KEY_SPEED = 5_000;

const ALL_SLOTS: ReadonlySet<number> = new Set(Array(SLOT_COUNT).keys());

/** The size of a key that does not exist any more. */
const GONE = -1;

const MEMORY = utf8("MEMORY");
const USAGE = utf8("USAGE");

/** See the header. */
export class StockMover implements SlotMover {
  readonly kind = "stock";
  readonly scansAhead = true;
  readonly #context: MoveContext;
  readonly #scanner: RedisConnection;
  readonly #migrator: RedisConnection;
  readonly #target: RedisConnection;
  readonly #meter: LoadMeter;
  readonly #calls: MigrateCalls;
  /** Whether the source knows how large a key is. */
  readonly #hasSizes: boolean;
  /** Most keys of one call. */
  readonly #keysMax: number;
  #bigKeys: BigKeys;
  readonly #sampler: KeySampler;
  /** The size that keys of the present round are taken to have, in bytes; undefined: it is asked for. */
  #usualSize: number | undefined;
  /** Big keys of slots that were scanned and have not started. */
  readonly #found = new Map<number, MovingKey[]>();
  /** Slots of which the present round has seen a key. */
  #seen = new Set<number>();

  private constructor(
    context: MoveContext,
    scanner: RedisConnection,
    migrator: RedisConnection,
    target: RedisConnection,
    hasSizes: boolean,
    isLeaving: boolean,
  ) {
    this.#context = context;
    this.#scanner = scanner;
    this.#migrator = migrator;
    this.#target = target;
    this.#meter = new LoadMeter(scanner, target, context);
    this.#calls = new MigrateCalls(
      ...[context, migrator, target, hasSizes, isLeaving] as const,
      (keys) => this.#withSizes(keys),
    );
    this.#keysMax = isLeaving ? 1 : Infinity;
    this.#hasSizes = hasSizes;
    this.#bigKeys = new BigKeys(context);
    this.#sampler = new KeySampler(scanner, {
      scan: () => this.#scan(ALL_SLOTS),
      sizesOf: async (database, keys) =>
        (await this.#sizesOf(database, keys)).map(({ size }) => size)
          .filter((size) => size !== GONE),
    });
  }

  /**
   * Connects to both servers; any other mover of the source's keys ends.
   *
   * @param isLeaving Whether the source is a codis-server.
   * @throws {RedisUnreachableError | RedisError}
   */
  static async open(context: MoveContext, isLeaving = false): Promise<StockMover> {
    const { control, pair } = context;
    using opened = new DisposableStack();
    const target = opened.use(await control.redis(pair.target, REPLY_MS));
    const scanner = opened.use(await control.redis(pair.source, REPLY_MS));
    await becomeOnlyMover(scanner);
    const migrator = opened.use(await control.redis(pair.source, MIGRATE_REPLY_MS));
    await migrator.call("CLIENT", "SETNAME", MOVER_NAME);
    // Redis 3.2 has no MEMORY.
    const [usage] = await scanner.pipeline([["MEMORY", "USAGE", ""]]);
    opened.move();
    const hasSizes = !(usage instanceof RedisError);
    return new StockMover(context, scanner, migrator, target, hasSizes, isLeaving);
  }

  async slotsAtOnce(): Promise<number> {
    await this.#meter.measure();
    return this.#context.throttle.isUnlimited ? SLOT_COUNT : SLOTS_AT_ONCE;
  }

  async probe(): Promise<void> {
    const bytes = probeKey();
    const made = await this.#migrator.pipeline([
      ["SELECT", PROBE_DATABASE],
      ["SET", bytes, "", "PX", PROBE_MS],
    ]);
    for (const reply of made) {
      if (reply instanceof RedisError) {
        throw new MoveError(`${this.#context.pair.source}: ${reply.message}`);
      }
    }
    this.#calls.forgetStuck();
    try {
      await this.#calls.move([{
        bytes,
        slotId: NO_SLOT,
        database: PROBE_DATABASE,
        size: 0,
        isGuess: false,
      }]);
    } finally {
      if (this.#migrator.isOpen) await this.#migrator.pipeline([["DEL", bytes]]);
    }
    await this.#target.pipeline([["SELECT", PROBE_DATABASE], ["DEL", bytes]]);
    const cause = this.#calls.stuck.get(NO_SLOT);
    if (cause === undefined) return;
    const { pair } = this.#context;
    throw new MoveError(await whyProbeRefused(pair, this.#scanner, this.#target, cause));
  }

  async clearTarget(
    slotIds: readonly number[],
    mayHaveKeys: boolean,
  ): Promise<ReadonlyMap<number, string>> {
    const { pair: { source, target } } = this.#context;
    const addrs = { target, owner: source };
    const orphans = await clearOrphans(
      this.#target,
      this.#scanner,
      new Set(slotIds),
      await this.#placement(),
      addrs,
    );
    return mayHaveKeys ? new Map() : orphans;
  }

  async findBigKeys(
    slotIds: readonly number[],
    upcoming: readonly number[],
  ): Promise<ReadonlyMap<number, string>> {
    if (!this.#hasSizes) return new Map();
    const unknown = new Set([...slotIds, ...upcoming].filter((id) => !this.#found.has(id)));
    if (slotIds.some((slotId) => unknown.has(slotId))) {
      for (const slotId of unknown) this.#found.set(slotId, []);
      const { bigKeyPolicy } = this.#context.options;
      // A slot that must not start must not start by mistake, either.
      const mustLook = bigKeyPolicy === "refuse" || await this.#mayHaveBigKeys();
      if (mustLook) await this.#lookForBigKeys(unknown);
    }
    const bigKeys = new BigKeys(this.#context);
    for (const slotId of slotIds) {
      for (const key of this.#found.get(slotId) ?? []) bigKeys.add(key);
      // The slot may come again, with other keys.
      this.#found.delete(slotId);
    }
    return bigKeys.refused;
  }

  /** Asks for the size of every key of these slots. */
  async #lookForBigKeys(slotIds: ReadonlySet<number>): Promise<void> {
    for await (const { database, keys } of this.#scan(slotIds)) {
      for (const key of await this.#sizesOf(database, keys)) {
        if (key.size >= this.#context.options.bigKeyBytes) this.#found.get(key.slotId)!.push(key);
      }
    }
  }

  async #mayHaveBigKeys(): Promise<boolean> {
    const sample = await this.#sampler.take();
    return sample === undefined || mayHaveBigKeys(sample, this.#context.options.bigKeyBytes);
  }

  /** The size that keys are taken to have; undefined where each one's must be asked for. */
  async #guessSize(): Promise<number | undefined> {
    const { options: { bigKeyBytes, bigKeyPolicy }, throttle } = this.#context;
    if (!this.#hasSizes || !throttle.isUnseen || bigKeyPolicy === "refuse") return undefined;
    const sample = await this.#sampler.takeOrUseLast();
    return sample === undefined ? undefined : usualSize(sample, bigKeyBytes);
  }

  async endLateCopies(mayHaveLateCopies: boolean): Promise<void> {
    await endRestores(this.#target, mayHaveLateCopies);
    await endRestores(this.#scanner, mayHaveLateCopies);
  }

  async moveRound(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<RoundResult> {
    const started = [...slotIds];
    this.#calls.forgetStuck();
    this.#seen = new Set();
    this.#bigKeys = new BigKeys(this.#context);
    for (const slotId of [...started, ...this.#context.coming()]) {
      this.#context.progress(slotId)?.scanStarted();
    }
    await this.#meter.measure();
    this.#usualSize = await this.#guessSize();
    try {
      await this.#moveSmall(slotIds, signal);
      this.#bigKeys.forgetOthers(started);
      await this.#bigKeys.moveAll((key) => this.#moveBig(key, slotIds), signal);
    } finally {
      this.#calls.countNow();
    }
    const clean = started.filter((slotId) => slotIds.has(slotId) && !this.#seen.has(slotId));
    return { clean, stuck: this.#calls.stuck, refused: this.#bigKeys.refused };
  }

  async settled(): Promise<void> {
    await this.#calls.settled();
  }

  close(): void {
    this.#scanner.close();
    this.#migrator.close();
    this.#target.close();
  }

  /** The keys of these slots at the source. */
  async *#scan(slots: WantedSlots, placement?: Placement): AsyncGenerator<FoundKeys> {
    const { throttle } = this.#context;
    const count = () =>
      throttle.isUnseen
        ? SCAN_KEYS.unseen
        : throttle.isUnlimited
        ? SCAN_KEYS.few
        : SCAN_KEYS.shared;
    yield* scanKeys(this.#scanner, slots, placement ?? await this.#placement(), count);
  }

  /** Slot rules do not change while a slot moves, but before and after. */
  #placement(): Promise<Placement> {
    return loadPlacement(this.#context.control.store);
  }

  /** Scans the source and moves all keys but big ones; those of slots that are being opened when they are open. */
  async #moveSmall(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const placement = await this.#placement();
    const opened = new Set(slotIds);
    const isOpen = (slotId: number) => opened.has(slotId) && slotIds.has(slotId);
    const isComing = (slotId: number) => this.#context.coming().has(slotId) || slotIds.has(slotId);
    const queue = new KeyQueue({ isOpen, isComing });
    const following = this.#followOpening(queue, opened, slotIds, placement);
    const workers = Array.from(
      { length: WORKERS },
      (_, i) => this.#work(queue, i, isOpen, signal).catch((error) => queue.fail(error)),
    );
    try {
      let lookedMs = 0;
      let asked: Promise<MovingKey[]> = Promise.resolve([]);
      for await (const { database, keys, fraction } of this.#scan({ has: isComing }, placement)) {
        signal.throwIfAborted();
        const before = asked;
        // Asked for before those of the last step are here: the source has something to do all the time.
        asked = this.#sized(database, keys, isOpen);
        asked.catch(() => {}); // it is seen with the next step
        await queue.put(await before);
        const nowMs = performance.now();
        if (nowMs - lookedMs > SCANNED_MS || fraction === 1) {
          lookedMs = nowMs;
          for (const slotId of slotIds) this.#context.progress(slotId)?.scanned(fraction);
        }
        await this.#meter.measure();
      }
      await queue.put(await asked);
      await following;
      queue.end();
    } catch (error) {
      queue.fail(error);
    } finally {
      await Promise.all(workers);
    }
    queue.check();
  }

  /** Hands out the keys of slots that are opened meanwhile, if the keys were placed by the rules of by then. */
  async #followOpening(
    queue: KeyQueue,
    opened: Set<number>,
    slotIds: ReadonlySet<number>,
    { rules }: Placement,
  ): Promise<void> {
    const { coming, control: { store }, someOpened } = this.#context;
    try {
      for (;;) {
        const fresh = [...slotIds].filter((slotId) => !opened.has(slotId));
        if (fresh.length > 0) {
          // They do not change any more: these slots move.
          if (!areSameRules((await loadSlotRules(store)).rules, rules)) {
            throw new MoveError("slot rules have changed while keys were looked for");
          }
          for (const slotId of fresh) opened.add(slotId);
        }
        queue.opened();
        if (fresh.length > 0) continue;
        if (coming().size === 0) return;
        await someOpened();
      }
    } catch (error) {
      queue.fail(error);
    }
  }

  /** Asks for the keys' sizes; keys that do not exist any more are left out. */
  async #sized(
    database: number,
    keys: readonly SlotKey[],
    isOpen: (slotId: number) => boolean,
  ): Promise<MovingKey[]> {
    for (const { slotId } of keys) {
      this.#seen.add(slotId);
      this.#context.progress(slotId)?.seen(1);
    }
    const guess = this.#hasSizes ? this.#guess : 0;
    if (guess !== undefined) {
      const isGuess = this.#hasSizes;
      return keys.map(({ bytes, slotId }) => ({ bytes, slotId, database, size: guess, isGuess }));
    }
    return this.#keepBack(await this.#sizesOf(database, keys), isOpen);
  }

  get #guess(): number | undefined {
    return this.#context.throttle.isUnseen ? this.#usualSize : undefined;
  }

  /** Keeps big keys back, and keys that do not exist any more. */
  #keepBack(keys: readonly MovingKey[], isOpen: (slotId: number) => boolean): MovingKey[] {
    const moving: MovingKey[] = [];
    for (const key of keys) {
      if (key.size === GONE) this.#context.progress(key.slotId)?.moved(1); // a proxy has moved it
      else if (key.size < this.#context.options.bigKeyBytes) moving.push(key);
      // The next round sees those of slots that are not open yet.
      else if (isOpen(key.slotId)) this.#bigKeys.add(key);
    }
    return moving;
  }

  /** Asks for sizes that were guessed, of keys of one database. */
  async #withSizes(keys: readonly MovingKey[]): Promise<readonly MovingKey[]> {
    if (!keys.some(({ isGuess }) => isGuess)) return keys;
    // The scan is at another database, perhaps.
    const sized = await this.#sizesOf(keys[0]!.database, keys, this.#migrator);
    return this.#keepBack(sized, () => true);
  }

  /** The keys with the memory each takes; {@linkcode GONE} when it does not exist any more. */
  async #sizesOf(
    database: number,
    keys: readonly SlotKey[],
    redis = this.#scanner,
  ): Promise<MovingKey[]> {
    const requests = keys.map(({ bytes }) => [MEMORY, USAGE, bytes]);
    const sizes = await redis.pipelineIn(database, requests);
    return keys.map(({ bytes, slotId }, i) => {
      const size = sizes[i] === null ? GONE : Number(sizes[i]) || 0;
      return { bytes, slotId, database, size, isGuess: false };
    });
  }

  /** Moves keys of the queue; all workers but the first only where nothing limits the speed. */
  async #work(
    queue: KeyQueue,
    worker: number,
    isOpen: (slotId: number) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { throttle } = this.#context;
    while (!signal.aborted) {
      if (worker > 0 && !throttle.isUnlimited) return;
      await sleep(throttle.restMs(), signal);
      const keys = await queue.take(() => Math.min(throttle.keys, this.#keysMax));
      if (keys.length === 0 || signal.aborted) break;
      const startedMs = performance.now();
      const sure = this.#guess === undefined ? await this.#withSizes(keys) : keys;
      // A slot that was taken out meanwhile may move the other way by now.
      await this.#calls.move(sure.filter(({ slotId }) => isOpen(slotId)));
      if (performance.now() - startedMs > SLOW_CALL_MS) this.#usualSize = undefined;
    }
    signal.throwIfAborted();
  }

  async #moveBig(key: MovingKey, slotIds: ReadonlySet<number>): Promise<void> {
    if (!slotIds.has(key.slotId)) return;
    const { control, options, pair } = this.#context;
    const migrateMs = Math.ceil(options.migrateMs + key.size / BIG_KEY_SPEED);
    // It may take longer than any other call: that needs a connection with a longer timeout.
    using redis = await control.redis(pair.source, MIGRATE_REPLY_MS + 2 * migrateMs);
    await redis.call("CLIENT", "SETNAME", MOVER_NAME);
    // A slot that was taken out meanwhile may move the other way by now.
    if (!slotIds.has(key.slotId)) return;
    await this.#calls.move([key], { migrateMs, redis });
  }
}
