/**
 * The parts of a transaction whose keys are in several slots: what each server gets, and which reply of
 * which part answers which command.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { BAD_ARGUMENTS, KeyIndexes, keyIndexes } from "../../command/key.ts";
import { elementsOf } from "../../resp/elements.ts";
import { arrayHeader, encodeRequest } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import type { Server } from "../backends/server.ts";
import type { Transaction } from "../client/transaction.ts";
import { selectedDatabase } from "../local/connection.ts";
import type { RouterSlots } from "../slots/router_slots.ts";
import type { Slot } from "../slots/slot.ts";
import type { DatabaseKeys } from "../slots/when_usable.ts";
import { PartReply } from "./gather.ts";
import { mergeInOrder, MERGES } from "./merge.ts";
import { appendPart, PartBytes } from "./split.ts";

const MULTI = encodeRequest(["MULTI"]);
const EXEC = encodeRequest(["EXEC"]);
const KEYS = new KeyIndexes();

/** What one server gets, or one slot that is being changed. */
export class SpreadPart {
  readonly server: Server | null;
  readonly changing: Slot | null;
  readonly slots = new Set<Slot>();
  /** How many commands are in it. */
  commands = 0;
  /** At which places among them SELECT stands. */
  readonly selects: number[] = [];
  readonly #bytes = new PartBytes();
  readonly #keys = new Map<number, Set<string>>();

  constructor(slot: Slot) {
    this.server = slot.isOpen ? slot.server : null;
    this.changing = slot.isOpen ? null : slot;
    this.#bytes.append(MULTI, 0, MULTI.length);
  }

  /** Appends a whole request. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.commands++;
    this.#bytes.append(bytes, start, end);
  }

  /** Appends a SELECT. */
  appendSelect(bytes: Uint8Array, start: number, end: number): void {
    this.selects.push(this.commands);
    this.append(bytes, start, end);
  }

  /** Appends the keys of a split request that are this part's. */
  appendSplit(parser: RequestParser, command: Command, partOf: Uint16Array, index: number): void {
    this.commands++;
    const keys = partOf.reduce((sum, part) => sum + (part === index ? 1 : 0), 0);
    const header = arrayHeader(1 + keys * command.keyStep);
    appendPart(this.#bytes, header, parser, partOf, index, command.keyStep);
  }

  /** It names a key. */
  names(slot: Slot, database: number, key: string): void {
    this.slots.add(slot);
    let keys = this.#keys.get(database);
    if (keys === undefined) this.#keys.set(database, keys = new Set());
    keys.add(key);
  }

  get keys(): DatabaseKeys[] {
    return [...this.#keys].map(([database, keys]) => ({ database, keys: [...keys] }));
  }

  /** The whole part. It is the last that is asked of it. */
  finish(): Uint8Array {
    this.#bytes.append(EXEC, 0, EXEC.length);
    return this.#bytes.bytes.subarray(0, this.#bytes.length);
  }
}

/** Where the replies to one command are: the elements at these places of these parts. */
interface Answer {
  readonly command: Command;
  readonly places: readonly { readonly part: number; readonly place: number }[];
  /** Which part has each key of a split command. */
  readonly partOf: Uint16Array | null;
}

/** All parts of one transaction. */
export class Spread {
  readonly parts: SpreadPart[] = [];
  readonly #slots: RouterSlots;
  readonly #answers: Answer[] = [];
  readonly #database: number;

  /**
   * @param database The client's, in which it begins, and the connections are left.
   * @param first The slot whose server's part is the first one, even if it is empty; null: any.
   */
  constructor(
    transaction: Transaction,
    slots: RouterSlots,
    database: number,
    first: Slot | null = null,
  ) {
    this.#slots = slots;
    if (first !== null) this.#partOf(first);
    this.#database = database;
    // Each part has each SELECT, so all parts must be known first.
    this.#walk(transaction, (parser, command, inDatabase) => {
      if (command.name !== "select") this.#partsOf(parser, command, inDatabase);
    });
    if (this.parts.length === 0) this.#partOf(this.#anySlot());
    this.#walk(transaction, (parser, command) => this.#add(parser, command));
    if (transaction.database < 0) return;
    const last = encodeRequest(["SELECT", `${database}`]);
    for (const part of this.parts) part.appendSelect(last, 0, last.length);
  }

  #walk(
    transaction: Transaction,
    visit: (parser: RequestParser, command: Command, database: number) => void,
  ): void {
    const bytes = transaction.queuedBytes;
    const parser = new RequestParser();
    let [at, database] = [0, this.#database];
    for (const command of transaction.sent()) {
      parser.parse(bytes, at, bytes.length);
      const selected = command.name === "select" ? selectedDatabase(parser) : database;
      if (typeof selected === "number") database = selected;
      visit(parser, command, database);
      at = parser.nextStart;
      parser.next();
    }
  }

  #anySlot(): Slot {
    const { all } = this.#slots;
    return all.find(({ isOpen }) => isOpen) ?? all[0]!;
  }

  #partOf(slot: Slot): number {
    const at = this.parts.findIndex(({ server, changing }) =>
      slot.isOpen ? server === slot.server : changing === slot
    );
    return at >= 0 ? at : this.parts.push(new SpreadPart(slot)) - 1;
  }

  /** The part of each key; none for a request without keys that can be found. */
  #partsOf(parser: RequestParser, command: Command, database: number | null): Uint16Array {
    const isOdd = command.handling === "split" && (parser.count - 1) % command.keyStep !== 0;
    const count = isOdd ? BAD_ARGUMENTS : keyIndexes(command, parser, KEYS);
    const parts = new Uint16Array(Math.max(0, count));
    for (let i = 0; i < count; i++) {
      const [from, to] = [parser.start(KEYS.values[i]!), parser.end(KEYS.values[i]!)];
      const slot = this.#slots.all[this.#slots.placement.slotIdOf(parser.bytes, from, to)]!;
      parts[i] = this.#partOf(slot);
      const key = database === null ? "" : latin1(parser.bytes, from, to);
      if (database !== null) this.parts[parts[i]!]!.names(slot, database, key);
    }
    return parts;
  }

  #add(parser: RequestParser, command: Command): void {
    const { bytes, requestStart, requestEnd } = parser;
    if (command.name === "select") {
      const place = { part: 0, place: this.parts[0]!.commands };
      this.#answers.push({ command, places: [place], partOf: null });
      for (const part of this.parts) part.appendSelect(bytes, requestStart, requestEnd);
      return;
    }
    const partOf = this.#partsOf(parser, command, null);
    const used = [...new Set(partOf)];
    if (used.length === 0) used.push(0);
    const places = used.map((part) => ({ part, place: this.parts[part]!.commands }));
    const isSplit = used.length > 1;
    this.#answers.push({ command, places, partOf: isSplit ? partOf : null });
    for (const part of used) {
      if (isSplit) this.parts[part]!.appendSplit(parser, command, partOf, part);
      else this.parts[part]!.append(bytes, requestStart, requestEnd);
    }
  }

  /**
   * The replies to all commands, in order.
   *
   * @param replies What each part's EXEC was answered; an error stands for all of its commands.
   */
  answers(replies: readonly PartReply[]): Uint8Array[] {
    const elements = replies.map(({ bytes, isError }) => isError ? null : elementsOf(bytes));
    return this.#answers.map(({ command, places, partOf }) => {
      const found = places.map(({ part, place }) => {
        const bytes = elements[part]?.[place] ?? replies[part]!.bytes;
        const isError = bytes[0] === 45; // -
        return new PartReply(bytes, isError, elements[part] == null);
      });
      if (partOf === null) return found[0]!.bytes.slice();
      if (command.merge !== "concat") return MERGES[command.merge]!(found, 2);
      const used = places.map(({ part }) => part);
      const owners = partOf.map((part) => used.indexOf(part));
      return mergeInOrder(found, owners, owners.length).slice();
    });
  }
}
