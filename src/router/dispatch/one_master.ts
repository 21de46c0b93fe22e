/**
 * Codis 3.x's questions to the one master that the request names: SLOTSINFO by its address, SLOTSSCAN by a slot.
 *
 *     SLOTSINFO addr        ─► that master: SLOTSINFO ────────────► how many keys each of its slots has
 *     SLOTSSCAN slot cursor ─► the slot's: SLOTSSCAN ──────┬──────► keys of the slot
 *                                                          └ stock Redis: SCAN ─► those of its keys that are
 *
 * A cursor says which server it is of, as in key_scan.ts: where the slot has moved on meanwhile, the walk begins
 * anew there. While the slot moves, its keys are at two servers, and a walk is refused: one of them would not
 * be asked.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { type Arguments, copyWords } from "../../resp/arguments.ts";
import { elementsOf } from "../../resp/elements.ts";
import { Encoder, encodeRequest, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { withoutProbeKeys } from "../../resp/probe_key.ts";
import type { Server } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import { clientText, NOT_AN_INTEGER, SLOT_NOT_READY, SYNTAX_ERROR, wrongArity } from "../errors.ts";
import { argumentText, integerOf } from "../local/local_call.ts";
import { namedSlot } from "../local/slots.ts";
import type { Request } from "../request.ts";
import type { Slot } from "../slots/slot.ts";
import { parkForMasters, sendToAll } from "./ask_masters.ts";
import { Gather, type MergeOrAsk, type PartReply } from "./gather.ts";
import { cursorIn, ownCursor, scanAnswer } from "./key_scan.ts";

/** Keys of a stock server that a call looks at for each key that the client wants, and at most. */
const SCANNED_FOR_EACH = 100;
const SCANNED_MAX = 10_000;
/** What Redis returns at a time unless it is told. */
const COUNT = 10;

/** Sends a request to the master that it names. Borrows the arguments until it returns. */
export function askOneMaster(client: Client, command: Command, args: Arguments): void {
  if (command.name === "slotsinfo") return slotsInfo(client, command, args);
  return slotsScan(client, command, args);
}

// -- SLOTSINFO --

function slotsInfo(client: Client, command: Command, args: Arguments): void {
  if (args.count !== 2) return client.answer(errorReply(wrongArity("SLOTSINFO")));
  const address = argumentText(args, 1);
  const master = client.shared.slots.masters().find(({ server }) => server.address === address);
  if (master === undefined) {
    return client.answer(errorReply(`ERR backend server '${clientText(address)}' not found`));
  }
  const merge = ([reply]: readonly PartReply[]) =>
    isUnknownCommand(reply!) ? errorReply(countsNoSlots(address)) : reply!.bytes.slice();
  sendToAll(client, command, [master], merge, encodeRequest([utf8("SLOTSINFO")]));
}

function isUnknownCommand({ isError, bytes }: PartReply): boolean {
  return isError && /^-ERR unknown command/.test(latin1(bytes, 0, Math.min(bytes.length, 32)));
}

function countsNoSlots(address: string): string {
  return `ERR ${address} is no codis-server, and does not count the keys of its slots; SLOTSSCAN walks ` +
    "through those of one, and the dashboard counts them (GET /api/redis/:addr/:slot/slotinfo)";
}

// -- SLOTSSCAN --

function slotsScan(client: Client, command: Command, args: Arguments): void {
  if (args.count < 3) return client.answer(errorReply(wrongArity("SLOTSSCAN")));
  const slotId = namedSlot(args, 1);
  if (typeof slotId === "string") return client.answer(errorReply(slotId));
  const slot = client.shared.slots.all[slotId]!;
  const { server } = slot;
  if (server === null) return client.answer(errorReply(SLOT_NOT_READY));
  if (slot.migrateFrom !== null) return client.answer(errorReply(isMoving(slot)));
  const words = copyWords(args);
  const asked = cursorIn(args.bytes, args.start(2), args.end(2));
  const own = ownCursor(asked, server.address);
  // What is no cursor goes as it is: the server says what is wrong with it.
  if (own !== asked) words[2] = utf8(String(own));
  const bytes = encodeRequest(words);
  const parked = parkForMasters(client, command, [{ server, groupId: slot.groupId }], bytes);
  if (parked === null) return; // it is dispatched again
  const { parent, expectedBytes } = parked;
  new SlotWalk(client, parent, slot, server, own === 0n ? 0n : asked, expectedBytes).ask(
    bytes,
    words,
  );
}

function isMoving({ id }: Slot): string {
  return `ERR handle request, slot ${id} moves, and its keys are at two servers: try again when it has moved`;
}

/** One step of a walk through the keys of a slot. */
class SlotWalk {
  readonly #client: Client;
  readonly #parent: Request;
  readonly #slot: Slot;
  readonly #server: Server;
  /** The cursor as the client sent it; 0 where the walk begins. */
  readonly #asked: bigint;
  readonly #expectedBytes: number;

  constructor(
    client: Client,
    parent: Request,
    slot: Slot,
    server: Server,
    asked: bigint,
    expectedBytes: number,
  ) {
    this.#client = client;
    this.#parent = parent;
    this.#slot = slot;
    this.#server = server;
    this.#asked = asked;
    this.#expectedBytes = expectedBytes;
  }

  /** @param words The request; none when it is the SCAN of a stock server. */
  ask(bytes: Uint8Array, words?: readonly Uint8Array[]): void {
    const merge: MergeOrAsk = ([reply]) => this.#answered(reply!, part, words);
    const gather = new Gather(this.#client, this.#parent, 1, merge);
    const part: Request = gather.part();
    this.#client.credit.expect(part, this.#server, this.#expectedBytes);
    this.#slot.send(part, bytes, 0, bytes.length);
  }

  #answered(
    reply: PartReply,
    part: Request,
    words: readonly Uint8Array[] | undefined,
  ): Uint8Array | null {
    // It has waited while the slot began to move.
    if (this.#slot.migrateFrom !== null) return errorReply(isMoving(this.#slot));
    if (words !== undefined && isUnknownCommand(reply)) return this.#scan(words);
    return scanAnswer(reply, this.#asked, part, (elements) => {
      const theirs = withoutProbeKeys(elements);
      return words === undefined ? this.#keysOfSlot(theirs) : theirs;
    });
  }

  /** Asks a stock server; null once it is asked. */
  #scan(words: readonly Uint8Array[]): Uint8Array | null {
    const count = countIn(words);
    if (typeof count === "string") return errorReply(count);
    const scanned = Math.min(count * SCANNED_FOR_EACH, SCANNED_MAX);
    this.ask(encodeRequest([utf8("SCAN"), words[2]!, utf8("COUNT"), utf8(String(scanned))]));
    return null;
  }

  #keysOfSlot(keys: Uint8Array): Uint8Array {
    const { slots } = this.#client.shared;
    const kept = (elementsOf(keys) ?? []).filter((key) =>
      slots.slotOf(key, key.indexOf(10) + 1, key.length - 2) === this.#slot
    );
    const out = new Encoder(2).array(kept.length);
    for (const key of kept) out.raw(key);
    return out.done();
  }
}

/** How many keys a SLOTSSCAN wants, or what codis-server says of it. */
function countIn(words: readonly Uint8Array[]): number | string {
  const text = (index: number) => latin1(words[index]!, 0, words[index]!.length);
  if (integerOf(text(1)) === null) return NOT_AN_INTEGER;
  if (words.length === 3) return COUNT;
  if (words.length !== 5) return wrongArity("slotsscan");
  if (text(3).toLowerCase() !== "count") return SYNTAX_ERROR;
  const count = integerOf(text(4));
  if (count === null) return NOT_AN_INTEGER;
  return count < 1n ? SYNTAX_ERROR : Number(count);
}
