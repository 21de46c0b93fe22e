/**
 * Writes all keys of an RDB to the product, while it comes.
 *
 *     source ─► window ─► reader ─► RESTORE ─► lanes
 *                 ▲                              │ full: wait
 *                 └────────── read on ◄──────────┘
 *
 * Each request may be repeated without harm, so whatever fails is sent again.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { latin1, latin1Bytes } from "../resp/latin1.ts";
import type { ByteWindow } from "./byte_window.ts";
import type { ImportCounts } from "./import_counts.ts";
import type { KeyChoice } from "./key_choice.ts";
import { RdbReader } from "./rdb/rdb_reader.ts";
import type { SourceKey } from "./source/source_control.ts";
import type { Lane } from "./target/lane.ts";
import {
  isLasting,
  refusal,
  RefusedError,
  REPEAT_DELAY_MS,
  REPEATED_MS,
  requestText,
  type Target,
} from "./target/target.ts";

/** The field of an RDB with a script that servers before Redis 7 keep. */
const SCRIPT_FIELD = "lua";
const NO_KEY = new Uint8Array(0);

/** What a load works with. */
export interface LoadOptions {
  readonly window: ByteWindow;
  /** Reads on; throws when nothing more comes. */
  fill(): Promise<void>;
  /** Where keys are written to; undefined: they are only counted. */
  readonly target: Target | undefined;
  readonly choice: KeyChoice;
  readonly counts: ImportCounts;
  /**
   * Whether a key is not written now, because it expires soon, but is read again at the source later. Undefined:
   * there is no later.
   */
  defers?(key: RdbReader): boolean;
  /** Whether a key that was not deferred must not be written any more: it is read again where it is. */
  isLost?: ((key: SourceKey) => boolean) | undefined;
}

/**
 * Reads a whole RDB. The window is then at what follows it.
 *
 * @returns How many keys of which type there were, by number of the type.
 * @throws {RdbError} When it cannot be read.
 * @throws {RefusedError} When a server does not take a key.
 */
export async function loadRdb(options: LoadOptions): Promise<ReadonlyMap<number, number>> {
  const { window, target, choice, counts } = options;
  const types = new Map<number, number>();
  const reader = new RdbReader(window, (reader) => {
    const { database, type } = reader;
    if (!choice.wants(database, reader.nameBytes, reader.nameStart, reader.nameEnd)) {
      counts.leftOut++;
      return false;
    }
    types.set(type, (types.get(type) ?? 0) + 1);
    if (options.defers?.(reader)) {
      counts.keys++;
      return false;
    }
    if (target !== undefined && !(target.knows(type) && target.hasDatabase(database))) {
      throw new RefusedError(target.objection(type, database, reader.name)!);
    }
    if (target === undefined) counts.keys++;
    return target !== undefined;
  });
  for (;;) {
    const step = reader.next();
    if (step === "end") break;
    if (step === "more") {
      target?.flush();
      const before = window.length;
      await options.fill();
      counts.bytes += window.length - before;
    } else if (target !== undefined) {
      const waiting = write(target, step, reader, options);
      if (waiting !== undefined) await waiting;
    }
  }
  if (target !== undefined) await settle(target, options);
  return types;
}

/** Writes what was read; returns a promise only when it has to wait. */
function write(
  target: Target,
  step: "key" | "function" | "aux",
  reader: RdbReader,
  options: LoadOptions,
): Promise<void> | undefined {
  const { choice, counts } = options;
  if (step === "key") {
    counts.keys++;
    if (reader.expiryMs !== 0 && reader.expiryMs <= Date.now()) counts.expired++;
    if (choice.keepsNames) {
      return writeKey(target, reader, options, reader.nameBytes, reader.nameStart, reader.nameEnd);
    }
    const name = choice.renamed(reader.name);
    return writeKey(target, reader, options, name, 0, name.length);
  }
  if (step === "function") {
    target.beginAnywhere(0).request(4).word("FUNCTION").word("LOAD").word("REPLACE")
      .word(reader.name);
  } else if (latin1(reader.name) === SCRIPT_FIELD) {
    target.beginAnywhere(0).request(3).word("SCRIPT").word("LOAD").word(latin1Bytes(reader.text));
  }
  return undefined;
}

/** Writes a key that is called `names[start, end)` here. */
function writeKey(
  target: Target,
  reader: RdbReader,
  options: LoadOptions,
  names: Uint8Array,
  start: number,
  end: number,
): Promise<void> | undefined {
  const lane = target.laneOf(names, start, end);
  if (target.mustWait(lane, reader.valueEnd - reader.valueStart)) {
    return writeLater(target, reader, options, lane, names, start, end);
  }
  target.restoreOn(lane, reader.database, names, start, end, reader);
  return undefined;
}

/** The same when there is room on the lane. It is a function of its own, as what is written at once shall cost nothing. */
async function writeLater(
  target: Target,
  reader: RdbReader,
  options: LoadOptions,
  lane: Lane,
  names: Uint8Array,
  start: number,
  end: number,
): Promise<void> {
  const { database } = reader;
  await target.room(lane, reader.valueEnd - reader.valueStart);
  if (target.isTroubled) await settle(target, options);
  if (options.isLost?.({ database, key: reader.name })) return;
  target.restoreOn(lane, database, names, start, end, reader);
}

/**
 * Waits until all is answered, and sends again what was not answered well.
 *
 * @throws {RefusedError} When a server refuses a request for good, or for too long.
 */
async function settle(target: Target, { counts, choice, isLost }: LoadOptions): Promise<void> {
  const endMs = performance.now() + REPEATED_MS;
  for (;;) {
    const trouble = await target.takeTrouble();
    if (trouble.length === 0) return;
    const refused = trouble.find(isLasting);
    if (refused !== undefined) throw refusal(refused);
    if (performance.now() > endMs) {
      const failed = trouble.find(({ error }) => error !== "")!;
      throw new RefusedError(
        `${requestText(failed)} fails for ${REPEATED_MS / 1000} s: ${failed.error ?? "no reply"}`,
      );
    }
    await delay(REPEAT_DELAY_MS);
    counts.repeated += trouble.length;
    for (const request of trouble) {
      const key = choice.original(request.words[1] ?? NO_KEY);
      const isKeyed = /^(restore|del)$/i.test(latin1(request.words[0]!));
      if (isKeyed && key !== undefined && isLost?.({ database: request.database, key })) continue;
      const lane = request.words.length > 1 ? target.laneOf(request.words[1]!) : target.lanes[0]!;
      const batch = lane.begin(request.database).request(request.words.length);
      for (const word of request.words) batch.word(word);
    }
  }
}
