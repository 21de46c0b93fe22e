/**
 * Keys of slots that move between sources, or have moved: each is read where it is now, and written. Changes of
 * two sources have no common order, so none of them is repeated for such a key.
 *
 *     changed at any source ─► taken ─► where is its slot? ─► all that was sent of it is answered
 *                                ▲                             ─► read: first where it comes from, then where it
 *                                │                                goes ─► written
 *                                └──── changed again at any source ◄───────┘
 *
 * A value may be old when it is written. Then a change at a source follows, which takes the key again: so the
 * last one that is written is right.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { Turns } from "../../base/turns.ts";
import type { ImportCounts } from "../import_counts.ts";
import type { KeyChoice } from "../key_choice.ts";
import type { ReadValue, SourceControl, SourceKey } from "../source/source_control.ts";
import { ChangeError } from "../stream/change_writer.ts";
import { idOf } from "../stream/key_marks.ts";
import { type StreamFollower, writeValue } from "../stream/stream_follower.ts";
import { isLasting, refusal, REPEAT_DELAY_MS, REPEATED_MS, type Target } from "../target/target.ts";

/** Where the keys of a slot are. */
export interface SlotPlace {
  /** The source that owns it, or that it moves to; `""`: nobody does. */
  readonly at: string;
  /** The source that it moves away from; undefined: it is at rest. */
  readonly from: string | undefined;
}

/** Reads where slots are now. */
export type ReadSlots = (slotIds: readonly number[]) => Promise<ReadonlyMap<number, SlotPlace>>;

/** A slot belongs to what is no source: the message says what to do. */
export function newOwner(name: string): ChangeError {
  return new ChangeError(
    name === ""
      ? "a slot has no group: give it one, then run the same command again"
      : `${name} has got slots, and was not there when this began: run the same command again, which follows it, too`,
  );
}

/** What of a source is used. */
export interface MovingSource {
  readonly name: string;
  readonly control: SourceControl;
  readonly counts: ImportCounts;
  readonly target: Target | undefined;
  readonly follower: StreamFollower | undefined;
}

/** A key that must be read again. */
export interface TakenKey extends SourceKey {
  readonly slotId: number;
  /** The sources that have changed it, or have had it. */
  readonly by: ReadonlySet<string>;
  /** Since when it waits, in monotonic milliseconds. */
  readonly sinceMs: number;
}

const KEYS_AT_ONCE = 64;
const STEP_KEYS = 4 * KEYS_AT_ONCE;
/**
 * How long it may take until everybody reads that a slot has moved, in milliseconds: a key that another source
 * has is not there by mistake before.
 */
const STALE_MS = 10_000;

/** See the header. */
export class MovingKeys {
  readonly #readSlots: ReadSlots;
  readonly #choice: KeyChoice;
  readonly #target: Target;
  readonly #sources: ReadonlyMap<string, MovingSource>;
  readonly #keys = new Map<string, TakenKey>();
  readonly #turns = new Turns(1);

  /** @param target Connections of its own, which are open. */
  constructor(
    readSlots: ReadSlots,
    choice: KeyChoice,
    target: Target,
    sources: ReadonlyMap<string, MovingSource>,
  ) {
    this.#readSlots = readSlots;
    this.#choice = choice;
    this.#target = target;
    this.#sources = sources;
  }

  /** Whether all that was taken is stored. */
  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#turns.isFree;
  }

  /** Takes a key that a source has changed. Copies it. */
  take(
    source: string,
    slotId: number,
    database: number,
    bytes: Uint8Array,
    start = 0,
    end: number = bytes.length,
  ): void {
    const id = idOf(database, bytes, start, end);
    const known = this.#keys.get(id);
    if (known?.by.has(source)) return;
    const [by, sinceMs] = known === undefined
      ? [new Set([source]), performance.now()]
      : [new Set([...known.by, source]), known.sinceMs];
    const key = known?.key ?? bytes.slice(start, end);
    this.#keys.set(id, { database, key, slotId, by, sinceMs });
  }

  /** Reads all keys that were taken up to now, and stores them. */
  async flush(): Promise<void> {
    if (this.isEmpty) return;
    await this.inTurn(() => this.#flush());
  }

  /** Acts while no key is read or written. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    return this.#turns.take(act);
  }

  /** The keys of a slot, which somebody else reads again from now on. */
  giveUp(slotId: number): TakenKey[] {
    const found: TakenKey[] = [];
    for (const [id, key] of this.#keys) {
      if (key.slotId !== slotId) continue;
      found.push(key);
      this.#keys.delete(id);
    }
    return found;
  }

  /** Closes the connections. */
  close(): void {
    this.#target.close();
  }

  async #flush(): Promise<void> {
    const endMs = performance.now() + REPEATED_MS;
    for (let left = [...this.#keys.values()]; left.length > 0;) {
      const again: TakenKey[] = [];
      for (let at = 0; at < left.length; at += STEP_KEYS) {
        again.push(...await this.#step(left.slice(at, at + STEP_KEYS), endMs));
      }
      left = again;
      if (left.length > 0) await delay(REPEAT_DELAY_MS);
    }
  }

  /** Moves some keys; whatever fails stays taken. */
  async #step(keys: readonly TakenKey[], endMs: number): Promise<TakenKey[]> {
    for (const key of keys) {
      const id = idOf(key.database, key.key);
      // One that was taken once more meanwhile is read now, and then again.
      if (this.#keys.get(id) === key) this.#keys.delete(id);
    }
    let left = keys;
    try {
      left = await this.#move(keys, endMs);
      return [...left];
    } finally {
      for (const key of left) {
        const id = idOf(key.database, key.key);
        if (!this.#keys.has(id)) this.#keys.set(id, key);
      }
    }
  }

  /** @returns Those that must be tried again. */
  async #move(keys: readonly TakenKey[], endMs: number): Promise<readonly TakenKey[]> {
    const places = await this.#readSlots([...new Set(keys.map(({ slotId }) => slotId))]);
    // What sources have sent of these keys before is stored, or failed for good.
    await Promise.all([...this.#sources.values()].map(({ target }) => target?.answered()));
    const found = new Map<TakenKey, Map<string, ReadValue>>(keys.map((key) => [key, new Map()]));
    const isThere = ({ slotId }: TakenKey, name: string) => places.get(slotId)?.at === name;
    await this.#read(keys, found, (key) => {
      const from = places.get(key.slotId)?.from;
      const names = new Set([...key.by, ...(from === undefined ? [] : [from])]);
      return [...names].filter((name) => !isThere(key, name));
    });
    await this.#read(keys, found, (key) => {
      const { at = "" } = places.get(key.slotId) ?? {};
      return at === "" ? [] : [at];
    });
    const again: TakenKey[] = [];
    for (const key of keys) {
      const reads = found.get(key)!;
      const place = places.get(key.slotId);
      const isStrange = [...reads].some(([name, { dump }]) =>
        dump !== null && name !== place?.at && name !== place?.from
      );
      if (isStrange && performance.now() - key.sinceMs < STALE_MS) {
        again.push(key);
        continue;
      }
      for (const [name, value] of reads) this.#sources.get(name)!.follower?.wasRead(value);
      const [here, there] = [reads.get(place?.at ?? ""), reads.get(place?.from ?? "")];
      const value = here?.dump === null ? there ?? here : here ?? there;
      const { database, key: name } = key;
      const nothing = { database, key: name, dump: null, expiryMs: 0, offset: 0 };
      writeValue(this.#target, this.#choice, value ?? nothing);
      await this.#target.roomEverywhere();
    }
    return await this.#isStored(endMs) ? again : keys;
  }

  /** Reads keys at the sources that are named for each. */
  async #read(
    keys: readonly TakenKey[],
    found: ReadonlyMap<TakenKey, Map<string, ReadValue>>,
    where: (key: TakenKey) => readonly string[],
  ): Promise<void> {
    const reads = keys.flatMap((key) => where(key).map((name) => ({ name, key })));
    const bySource = Map.groupBy(reads, ({ name }) => name);
    await Promise.all([...bySource].map(async ([name, list]) => {
      const moving = this.#sources.get(name);
      if (moving === undefined) throw newOwner(name);
      const { control, counts } = moving;
      for (let at = 0; at < list.length; at += KEYS_AT_ONCE) {
        const some = list.slice(at, at + KEYS_AT_ONCE).map(({ key }) => key);
        const values = await control.readValues(some);
        counts.reread += some.length;
        for (const [i, value] of values.entries()) found.get(some[i]!)!.set(name, value);
      }
    }));
  }

  /** Waits for the answers; false: some requests have failed, and may succeed later. */
  async #isStored(endMs: number): Promise<boolean> {
    const trouble = (await this.#target.takeTrouble()).filter(({ error }) => error !== "");
    const refused = trouble.find((request) => isLasting(request) || performance.now() >= endMs);
    if (refused !== undefined) throw refusal(refused);
    return trouble.length === 0;
  }
}
