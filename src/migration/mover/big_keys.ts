/**
 * Keys so big that moving one stops both servers for a while: told of before any of them moves.
 *
 *      found before its slot begins, or met later ─► listed
 *        ├─ last     moved alone, after all other keys of the look, the smallest first
 *        ├─ warn     the same, with a warning before
 *        └─ refuse   its slot does not begin; where it has begun, the key stays, and its slot with it,
 *                    though a client's request may still move it
 *
 * @module
 */

import type { BigKeyView } from "../api/cluster_view.ts";
import type { MoveContext } from "./mover/mover.ts";
import { type SlotKey, textOfKey } from "./mover/server_keys.ts";

/** What is done with big keys. */
export type BigKeyPolicy = "last" | "warn" | "refuse";

/** A big key. */
export interface BigKey extends SlotKey {
  readonly database: number;
  /** Memory it takes at the source, in bytes. */
  readonly size: number;
}

/** The big keys of a slot as operators see them, by name. */
export type BigKeyList = Map<string, BigKeyView>;

/** Big keys remembered in one look; the next look finds the others. */
const BIG_KEYS_MAX = 10_000;
/** Big keys of one slot that are remembered where they stay: they can be any number. */
const SLOT_KEYS_MAX = 100;
/** Big keys of one look that get an event of their own. */
const TOLD_MAX = 10;
/** Big keys of a slot that are listed. */
const LISTED_MAX = 20;
/**
 * Bytes that are moved in one millisecond, by which the stop is foretold: measured with hashes of small
 * fields on a slow machine; large strings are five times as fast.
 */
const BYTES_PER_MS = 25_000;

/** The big keys of one look. */
export class BigKeys {
  readonly #context: MoveContext;
  readonly #policy: BigKeyPolicy;
  readonly #keys: BigKey[] = [];
  /** Those of each slot that are not moved yet, by name. */
  readonly #slots = new Map<number, Map<string, BigKey>>();
  #told = 0;

  constructor(context: MoveContext) {
    this.#context = context;
    this.#policy = context.options.bigKeyPolicy;
  }

  /** Puts a key off until the end of the look, or for good. */
  add(key: BigKey): void {
    const slot = this.#slots.get(key.slotId) ?? new Map<string, BigKey>();
    const isEnough = this.#policy === "refuse"
      ? slot.size >= SLOT_KEYS_MAX
      : this.#keys.length >= BIG_KEYS_MAX;
    if (isEnough) return;
    if (this.#policy !== "refuse") this.#keys.push(key);
    const name = nameOf(key);
    this.#slots.set(key.slotId, slot.set(name, key));
    const list = this.#context.bigKeys(key.slotId);
    const isNew = list?.has(name) === false;
    list?.set(name, this.#view(key));
    this.#note(key.slotId);
    if (isNew && ++this.#told <= TOLD_MAX) this.#tell(key);
  }

  /** Moves them one after the other, the smallest first, where they are not to stay. */
  async moveAll(move: (key: BigKey) => Promise<void>, signal: AbortSignal): Promise<void> {
    for (const key of this.#keys.sort((a, b) => a.size - b.size)) {
      signal.throwIfAborted();
      await move(key);
      this.#slots.get(key.slotId)?.delete(nameOf(key));
      this.#context.bigKeys(key.slotId)?.delete(nameOf(key));
      this.#note(key.slotId);
    }
  }

  /** The slots that keep a key which is not to be moved, and why. */
  get refused(): ReadonlyMap<number, string> {
    if (this.#policy !== "refuse") return new Map();
    return new Map([...this.#slots].map(([slotId, keys]) => {
      const biggest = biggestOf([...keys.values()]);
      const most = keys.size < SLOT_KEYS_MAX ? "" : "at least ";
      const more = keys.size === 1 ? "" : ` and ${most}${keys.size - 1} more`;
      const { source } = this.#context.pair;
      return [
        slotId,
        `big key ${
          sizeText(biggest)
        }${more} stays at ${source} (migrate_big_key_policy = refuse): ` +
        `its move would stop both servers for about ${stopText(biggest)}`,
      ];
    }));
  }

  /** What was listed of a slot in an earlier look and is not there any more is no big key now. */
  forgetOthers(slotIds: Iterable<number>): void {
    for (const slotId of slotIds) {
      const list = this.#context.bigKeys(slotId);
      const seen = this.#slots.get(slotId);
      for (const name of list?.keys() ?? []) if (!seen?.has(name)) list?.delete(name);
    }
  }

  #view(key: BigKey): BigKeyView {
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
    const what = keys.length === 1 ? "a big key" : `${keys.length} big keys`;
    this.#context.note(
      slotId,
      `${what} to be moved last: ${sizeText(biggest)} stops its servers for about ${
        stopText(biggest)
      }`,
    );
  }

  #tell(key: BigKey): void {
    const { control, pair: { source } } = this.#context;
    const what = `slot ${key.slotId} has a big key at ${source}: ${sizeText(key)}`;
    if (this.#policy === "refuse") return control.report("warning", `${what}; it stays there`);
    control.report(
      this.#policy === "warn" ? "warning" : "info",
      `${what}; it is moved last, which stops both servers for about ${stopText(key)}`,
    );
  }
}

/** What is shown of a slot's big keys, the biggest first. */
export function listedKeys(list: BigKeyList): BigKeyView[] {
  return [...list.values()].sort((a, b) => b.bytes - a.bytes).slice(0, LISTED_MAX);
}

function nameOf({ bytes, database }: BigKey): string {
  return `${database} ${bytes.join()}`;
}

function biggestOf(keys: readonly BigKey[]): BigKey {
  return keys.reduce((a, b) => b.size > a.size ? b : a);
}

function sizeText({ bytes, size }: BigKey): string {
  return `"${textOfKey(bytes)}" with ${(size / 1024 ** 2).toFixed(1)} MB`;
}

function stopMs({ size }: BigKey): number {
  return Math.max(1, Math.round(size / BYTES_PER_MS));
}

function stopText(key: BigKey): string {
  const ms = stopMs(key);
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}
