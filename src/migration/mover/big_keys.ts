/**
 * The big keys of one round: moving one stops both servers for a while, so they are reported first.
 *
 *      found before its slot starts, or met later ─► listed
 *        ├─ last     moved alone, after all other keys of the round, the smallest first
 *        ├─ warn     the same, with a warning before
 *        └─ refuse   its slot does not start; if it has started, the key stays, and its slot with it, though
 *                    a client's request may still move it
 *
 * @module
 */

import type { BigKeyView } from "../../api/cluster_view.ts";
import type { BigKeyPolicy } from "../big_key_list.ts";
import type { MovingKey } from "./key_queue.ts";
import type { MoveContext } from "./mover.ts";
import { textOfKey } from "./server_keys.ts";

/** Big keys that one round remembers; the next round finds the others. */
const ROUND_KEYS_MAX = 10_000;
/** Big keys of one slot that are remembered where they stay: there may be any number. */
const SLOT_KEYS_MAX = 100;
/** Big keys of one round that get an event each. */
const EVENTS_MAX = 10;
/**
 * Bytes that are moved in one millisecond, by which the stop is estimated: measured with hashes of small
 * fields on a slow machine; large strings are five times as fast.
 */
const BYTES_PER_MS = 25_000;

/** See the header. */
export class BigKeys {
  readonly #context: MoveContext;
  readonly #policy: BigKeyPolicy;
  readonly #keys: MovingKey[] = [];
  /** The keys of each slot that have not moved, by name. */
  readonly #slots = new Map<number, Map<string, MovingKey>>();
  #events = 0;

  constructor(context: MoveContext) {
    this.#context = context;
    this.#policy = context.options.bigKeyPolicy;
  }

  /** Takes a big key; it is moved at the end of the round, or never. */
  add(key: MovingKey): void {
    const slot = this.#slots.get(key.slotId) ?? new Map<string, MovingKey>();
    const isFull = this.#policy === "refuse"
      ? slot.size >= SLOT_KEYS_MAX
      : this.#keys.length >= ROUND_KEYS_MAX;
    if (isFull) return;
    if (this.#policy !== "refuse") this.#keys.push(key);
    const name = nameOf(key);
    this.#slots.set(key.slotId, slot.set(name, key));
    const list = this.#context.bigKeys(key.slotId);
    const isNew = list?.has(name) === false;
    list?.set(name, this.#view(key));
    // Until a new round has met as many as the one before, that one's count holds.
    if (slot.size >= (list?.size ?? 0)) this.#note(key.slotId);
    if (isNew && ++this.#events <= EVENTS_MAX) this.#report(key);
  }

  /** Moves them one after the other, the smallest first, unless they must stay. */
  async moveAll(move: (key: MovingKey) => Promise<void>, signal: AbortSignal): Promise<void> {
    for (const key of this.#keys.sort((a, b) => a.size - b.size)) {
      signal.throwIfAborted();
      await move(key);
      this.#slots.get(key.slotId)?.delete(nameOf(key));
      this.#context.bigKeys(key.slotId)?.delete(nameOf(key));
      this.#note(key.slotId);
    }
  }

  /** The slots that keep a key which must not be moved, and why. */
  get refused(): ReadonlyMap<number, string> {
    if (this.#policy !== "refuse") return new Map();
    return new Map([...this.#slots].map(([slotId, keys]) => {
      const biggest = biggestOf([...keys.values()]);
      const least = keys.size < SLOT_KEYS_MAX ? "" : "at least ";
      const more = keys.size === 1 ? "" : ` and ${least}${keys.size - 1} more`;
      const { source } = this.#context.pair;
      return [
        slotId,
        `big key ${
          sizeText(biggest)
        }${more} stays at ${source} (migrate_big_key_policy = refuse): ` +
        `moving it would stop both servers for about ${stopText(biggest)}`,
      ];
    }));
  }

  /** Takes from the slots' lists what this round has not seen: it is no big key any more. */
  forgetOthers(slotIds: Iterable<number>): void {
    for (const slotId of slotIds) {
      const list = this.#context.bigKeys(slotId);
      const seen = this.#slots.get(slotId);
      const gone = [...list?.keys() ?? []].filter((name) => !seen?.has(name));
      for (const name of gone) list?.delete(name);
      if (gone.length > 0) this.#note(slotId);
    }
  }

  #view(key: MovingKey): BigKeyView {
    return {
      key: textOfKey(key.bytes),
      database: key.database,
      bytes: key.size,
      stop_ms: stopMs(key),
      stays: this.#policy === "refuse",
    };
  }

  #note(slotId: number): void {
    if (this.#policy !== "warn") return;
    const keys = [...this.#slots.get(slotId)?.values() ?? []];
    if (keys.length === 0) return this.#context.note(slotId, "");
    const biggest = biggestOf(keys);
    const what = keys.length === 1 ? "1 big key moves last" : `${keys.length} big keys move last`;
    this.#context.note(
      slotId,
      `${what}: ${sizeText(biggest)} stops both servers for about ${stopText(biggest)}`,
    );
  }

  #report(key: MovingKey): void {
    const { control, pair: { source } } = this.#context;
    const what = `slot ${key.slotId} has a big key at ${source}: ${sizeText(key)}`;
    if (this.#policy === "refuse") return control.report("warning", `${what}; it stays there`);
    control.report(
      this.#policy === "warn" ? "warning" : "info",
      `${what}; it moves last and stops both servers for about ${stopText(key)}`,
    );
  }
}

function nameOf({ bytes, database }: MovingKey): string {
  return `${database} ${bytes.join()}`;
}

function biggestOf(keys: readonly MovingKey[]): MovingKey {
  return keys.reduce((a, b) => b.size > a.size ? b : a);
}

function sizeText({ bytes, size }: MovingKey): string {
  return `"${textOfKey(bytes)}" with ${(size / 1024 ** 2).toFixed(1)} MB`;
}

function stopMs({ size }: MovingKey): number {
  return Math.max(1, Math.round(size / BYTES_PER_MS));
}

function stopText(key: MovingKey): string {
  const ms = stopMs(key);
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}
