/**
 * A made-up product whose slots move between sources, followed by the real rules of {@linkcode SlotOwners} into a
 * made-up target. All that takes time takes chance.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { Placement } from "../../../../src/hash/placement.ts";
import { ImportCounts } from "../../../../src/import/import_counts.ts";
import type { ImportRun } from "../../../../src/import/import_run.ts";
import type { ImportState } from "../../../../src/import/import_state.ts";
import { KeyChoice } from "../../../../src/import/key_choice.ts";
import type { SlotPlace } from "../../../../src/import/moving/moving_keys.ts";
import { SlotOwners } from "../../../../src/import/moving/slot_owners.ts";
import { DUMP_END_BYTES } from "../../../../src/import/rdb/value_shape.ts";
import type { ReadValue, SourceKey } from "../../../../src/import/source/source_control.ts";
import { KeyMarks, type KeyShare } from "../../../../src/import/stream/key_marks.ts";
import type { Target } from "../../../../src/import/target/target.ts";
import type { RedisConnection } from "../../../../src/redis/connection.ts";
import { latin1, latin1Bytes } from "../../../../src/resp/latin1.ts";

const NO_CHOICE = { match: [], except: [], database: undefined, strip: "", prefix: "" };
const PLACEMENT = new Placement();

/** The names of the sources. */
export const NAMES = ["a", "b", "c"] as const;
/** Two keys in each of three slots. */
export const KEYS = ["{x}1", "{x}2", "{y}1", "{y}2", "{z}1", "{z}2"] as const;

function slotOf(key: string): number {
  return PLACEMENT.slotIdOf(latin1Bytes(key), 0, key.length);
}

interface Change {
  readonly key: string;
  /** The value that it gets, or what is put behind it; undefined: it is deleted. */
  readonly value: string | undefined;
  readonly appends: boolean;
}

function make({ key, value, appends }: Change, values: Map<string, string>): void {
  if (value === undefined) values.delete(key);
  else values.set(key, appends ? `${values.get(key) ?? ""}${value}` : value);
}

/** One group, and what follows it: as {@linkcode StreamFollower} does, without bytes. */
class Source {
  readonly values = new Map<string, string>();
  readonly changes: Change[] = [];
  readonly phase = "following";
  readonly counts = new ImportCounts();
  readonly stopped = new Promise<void>(() => {});
  readonly target = { answered: () => this.product.pass() };
  readonly follower = {
    wasRead: (value: ReadValue) => this.#marks.wasRead(value, value.offset),
    defer: ({ database, key }: SourceKey) => this.#marks.add(database, key),
  };
  readonly control = {
    offset: async () => {
      await this.product.pass();
      return this.changes.length;
    },
    readValues: async (keys: readonly SourceKey[]) => {
      await this.product.pass();
      const values = keys.map((key) => this.#read(key));
      await this.product.pass();
      return values;
    },
    pipeline: async (_database: number, requests: readonly (readonly [string, Uint8Array])[]) => {
      await this.product.pass();
      return requests.map(([, key]) => this.values.has(latin1(key)) ? 1 : 0);
    },
  };
  applied = 0;
  #marks = new KeyMarks();
  #share: KeyShare | undefined;

  constructor(readonly product: MovingProduct, readonly name: string) {}

  get share(): KeyShare {
    return this.#share!;
  }

  /** Changes a key, and says so. */
  change(change: Change): void {
    make(change, this.values);
    this.changes.push(change);
  }

  follow(share: KeyShare): void {
    this.#share = share;
    this.#marks = new KeyMarks(share);
    (async () => {
      while (!this.product.isEnded) {
        // Sometimes it is late: then a value that is read has changes that come afterwards.
        await this.product.pass(this.product.chance() < 0.05 ? 3_000 : 20);
        await this.#follow();
      }
    })().catch(this.product.fail);
  }

  async #follow(): Promise<void> {
    const end = Math.min(this.changes.length, this.applied + Math.ceil(20 * this.product.chance()));
    for (let at = this.applied; at < end; at++) {
      const change = this.changes[at]!;
      const bytes = latin1Bytes(change.key);
      if (!this.#marks.has(at + 1, 0, bytes, 0, bytes.length)) this.product.make(change);
    }
    for (;;) {
      this.#marks.handOver();
      for (const keys of this.#marks.dirty(4)) {
        for (const value of await this.control.readValues(keys)) {
          if (this.#marks.isLost(value)) continue;
          this.product.write(latin1(value.key), textOf(value.dump));
          this.#marks.wasRead(value, value.offset);
        }
      }
      await this.share.flush();
      if (this.#marks.dirtyCount === 0) break;
    }
    this.applied = end;
    this.#marks.passed(end);
  }

  #read({ database, key }: SourceKey): ReadValue {
    const value = this.values.get(latin1(key));
    const dump = value === undefined
      ? null
      : latin1Bytes(`\0${value}${" ".repeat(DUMP_END_BYTES)}`);
    return { database, key, dump, expiryMs: 0, offset: this.changes.length };
  }
}

function textOf(dump: Uint8Array | null): string | undefined {
  return dump === null ? undefined : latin1(dump, 1, dump.length - DUMP_END_BYTES);
}

/** See the header. */
export class MovingProduct {
  readonly sources = NAMES.map((name) => new Source(this, name));
  readonly #places = new Map<number, SlotPlace>();
  readonly #target = new Map<string, string>();
  readonly #failed = Promise.withResolvers<never>();
  #owners: SlotOwners | undefined;
  #written = 0;
  isEnded = false;

  /** @param chance Numbers from 0 to 1. */
  constructor(readonly chance: () => number) {
    this.#failed.promise.catch(() => {});
    for (const key of KEYS) this.#places.set(slotOf(key), { at: NAMES[0], from: undefined });
  }

  /** Rejects when something fails that runs beside. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  readonly fail = (error: unknown): void => this.#failed.reject(error);

  /** Takes some time. */
  async pass(mostMs = 8): Promise<void> {
    await delay(mostMs * this.chance());
  }

  /** Makes a change at the target. */
  make(change: Change): void {
    make(change, this.#target);
  }

  /** Writes a value that was read at the target. */
  write(key: string, value: string | undefined): void {
    this.make({ key, value, appends: false });
  }

  /** Begins to follow. */
  async follow(): Promise<void> {
    const notes = new Map<string, string>();
    const owners = this.#owners = await SlotOwners.open({
      placement: PLACEMENT,
      choice: new KeyChoice(NO_CHOICE),
      state: {
        noted: (name: string) => notes.get(name) ?? "",
        note: (name: string, text: string) => void notes.set(name, text),
      } as ImportState,
      readSlots: async (slotIds) => {
        await this.pass();
        const rest = { at: NAMES[0], from: undefined };
        const places = new Map(slotIds.map((id) => [id, this.#places.get(id) ?? rest]));
        await this.pass();
        return places;
      },
      openTarget: () => Promise.resolve(this.#targetOfMoves()),
      openConnection: () => Promise.resolve(this.#scanner()),
      databases: () => Promise.resolve([0]),
    });
    for (const source of this.sources) source.follow(owners.shareOf(source.name));
    owners.watch(this as unknown as ImportRun).catch(this.fail);
  }

  /** Appends to a key, or deletes it: where its slot is, after it was moved there. */
  change(key: string, isDeleted: boolean): void {
    this.move(key);
    const at = this.#at(this.#places.get(slotOf(key))!.at);
    if (isDeleted && !at.values.has(key)) return;
    at.change({ key, value: isDeleted ? undefined : `${++this.#written} `, appends: !isDeleted });
  }

  /** Moves a key, if its slot moves: it is at the new owner first. */
  move(key: string): void {
    const { at, from } = this.#places.get(slotOf(key))!;
    const value = from === undefined ? undefined : this.#at(from).values.get(key);
    if (value === undefined) return;
    this.#at(at).change({ key, value, appends: false });
    this.#at(from!).change({ key, value: undefined, appends: false });
  }

  /** Begins to move a slot; one that moves comes to its end first. */
  moveSlot(key: string, to: string): void {
    this.endMove(key);
    const { at } = this.#places.get(slotOf(key))!;
    if (at !== to) this.#places.set(slotOf(key), { at: to, from: at });
  }

  /** Ends the move of a slot. */
  endMove(key: string): void {
    const slotId = slotOf(key);
    for (const other of KEYS) if (slotOf(other) === slotId) this.move(other);
    this.#places.set(slotId, { ...this.#places.get(slotId)!, from: undefined });
  }

  /** Waits until no slot moves, and all that has come is stored. */
  async rest(): Promise<void> {
    const isThere = () => this.sources.every(({ applied, changes }) => applied === changes.length);
    while (!(await this.#owners!.isAtRest() && isThere())) await delay(100);
  }

  /** What the target has, and what the owners have. */
  get outcome(): readonly (readonly [
    key: string,
    target: string | undefined,
    owner: string | undefined,
  ])[] {
    return KEYS.map((key) => {
      const { at } = this.#places.get(slotOf(key))!;
      return [key, this.#target.get(key), this.#at(at).values.get(key)];
    });
  }

  #at(name: string): Source {
    return this.sources.find((source) => source.name === name)!;
  }

  #targetOfMoves(): Target {
    const target = {
      objection: () => undefined,
      restore: (_database: number, key: Uint8Array, { bytes }: { bytes: Uint8Array }) =>
        this.write(latin1(key), textOf(bytes)),
      delete: (_database: number, key: Uint8Array) => this.write(latin1(key), undefined),
      roomEverywhere: () => this.pass(),
      takeTrouble: async () => {
        await this.pass();
        return [];
      },
      close: () => {},
    };
    return target as unknown as Target;
  }

  #scanner(): RedisConnection {
    const connection = {
      pipelineIn: async () => {
        await this.pass();
        return [[latin1Bytes("0"), [...this.#target.keys()].map((key) => latin1Bytes(key))]];
      },
      [Symbol.dispose]: () => {},
    };
    return connection as unknown as RedisConnection;
  }
}
