/**
 * SCAN over all masters: one after the other, in the order of their groups, in passes.
 *
 *      cursor  =  the server's own cursor │ version │ pass │ group        begin: 0, end: 0
 *
 *      pass 1      every group                                                            ─┐
 *      pass n + 1  where the slots are that have moved back n times since `version`  ◄──────┘ if any have
 *
 * A cursor holds all there is to know, so a walk may go on over another connection, worker or proxy of
 * the product, and nothing is left of one that was given up. It holds what Redis promises: a key that is
 * there from the first call to the last is returned at least once, also while slots move, masters change
 * and groups come and go; {@link ./slot_moves.ts} says why. Where it cannot be known what has moved (the
 * cursor is of a time before this proxy had its table, or of a newer table than ours) the walk begins
 * anew, with the same cursor: keys come twice, none is missed.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { elementsOf } from "../../resp/elements.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { Encoder, encodeRequest, errorReply } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { withoutProbeKeys } from "../../resp/probe_key.ts";
import type { Master } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import type { RouterSlots } from "../slots/router_slots.ts";
import { isMovingBack, VERSIONS_KEPT } from "../slots/slot_moves.ts";
import type { Slot } from "../slots/slot.ts";
import { sendToAll } from "./ask_masters.ts";
import type { PartReply } from "./gather.ts";
import { badReply, firstError } from "./merge.ts";

/** Passes that a cursor can name; a slot that has moved back more often makes the walk begin anew. */
const PASSES_MAX = 4;
/** Versions that a cursor can tell apart: those that are kept, and as many that are none of ours. */
const VERSIONS = 2 * VERSIONS_KEPT;
/** Where a cursor becomes too large for clients that take it for a signed number. */
const CURSOR_MAX = 2n ** 63n;

/** A place in a walk. */
export interface ScanPlace {
  /** The server's own cursor. */
  readonly own: bigint;
  /** The version of the table when the walk began, modulo {@linkcode VERSIONS}. */
  readonly version: number;
  /** From 1. */
  readonly pass: number;
  readonly groupId: number;
}

/**
 * A place as a cursor, never 0. Small numbers make a small cursor: clients in JavaScript are exact up to
 * 2^53 only.
 */
export function cursorOf({ own, version, pass, groupId }: ScanPlace): bigint {
  let cursor = own * BigInt(VERSIONS) + BigInt(version % VERSIONS);
  cursor = cursor * BigInt(PASSES_MAX) + BigInt(pass - 1);
  // Three bits at a time, the lowest last; the fourth says that more come.
  const digits = (groupId + 1).toString(8);
  for (let i = 0; i < digits.length; i++) {
    cursor = cursor * 16n + BigInt((i === 0 ? 0 : 8) + Number(digits[i]));
  }
  return cursor;
}

/** What {@linkcode cursorOf} made a cursor of; of any other number, some place. */
export function placeOf(cursor: bigint): ScanPlace {
  let group = 0;
  for (let factor = 1, isLast = false; !isLast && factor < 2 ** 31; factor *= 8) {
    const digit = Number(cursor % 16n);
    cursor /= 16n;
    group += (digit % 8) * factor;
    isLast = digit < 8;
  }
  const pass = 1 + Number(cursor % BigInt(PASSES_MAX));
  cursor /= BigInt(PASSES_MAX);
  const version = Number(cursor % BigInt(VERSIONS));
  return { own: cursor / BigInt(VERSIONS), version, pass, groupId: group - 1 };
}

/** One step of a walk. Borrows the arguments until it returns. */
export function scan(client: Client, command: Command, args: Arguments): void {
  const words: Uint8Array[] = [];
  for (let i = 0; i < args.count; i++) words.push(args.bytes.slice(args.start(i), args.end(i)));
  const text = new TextDecoder().decode(words[1]!);
  // As strtoul() reads it: a sign is taken, and nothing is 0.
  const isNumber = /^([+-]?\d{1,20})?$/.test(text) && BigInt(text) < 2n ** 64n;
  if (!isNumber) return client.answer(errorReply("ERR invalid cursor"));
  const cursor = BigInt.asUintN(64, BigInt(text));
  const walk = new Walk(client.shared.slots, placeOf(cursor), cursor === 0n);
  const master = walk.master();
  if (master === null) return client.answer(scanReply(0n, EMPTY_ARRAY));
  words[1] = new TextEncoder().encode(String(walk.own));
  const merge = ([reply]: readonly PartReply[]) => walk.answered(reply!, master);
  sendToAll(client, command, [master], merge, encodeRequest(words));
}

const EMPTY_ARRAY = new Encoder(2).array(0).done();

/** What a server answers to SCAN and its like. */
export interface ScanReply {
  readonly cursor: bigint;
  /** The array of what was found, as a view of the reply. */
  readonly elements: Uint8Array;
}

/** Reads a whole reply to SCAN and its like; null when it is none. Borrows `bytes`. */
export function readScanReply(bytes: Uint8Array): ScanReply | null {
  const [bulk, elements] = elementsOf(bytes) ?? [];
  const match = bulk === undefined ? null : /^\$\d+\r\n(\d+)\r\n$/.exec(latin1(bulk));
  if (match === null || elements === undefined) return null;
  return { cursor: BigInt(match[1]!), elements };
}

/** Such a reply to the client. Copies `elements`. */
export function scanReply(cursor: bigint, elements: Uint8Array): Uint8Array {
  return new Encoder(2).array(2).bulk(String(cursor)).raw(elements).done();
}

/** A walk at one place. */
class Walk {
  readonly #table: RouterSlots;
  /** When it began. */
  #version: number;
  #pass: number;
  #groupId: number;
  own: bigint;

  constructor(table: RouterSlots, place: ScanPlace, isNew: boolean) {
    this.#table = table;
    const { moves } = table;
    const age = (moves.version - place.version) % VERSIONS;
    this.#version = moves.version - (age < 0 ? age + VERSIONS : age);
    this.#pass = place.pass;
    this.#groupId = place.groupId;
    this.own = place.own;
    const isKnown = this.#version > moves.version - VERSIONS_KEPT &&
      this.#version >= moves.knownSince;
    if (isNew || !isKnown) this.#begin();
  }

  #begin(): void {
    this.#version = this.#table.moves.version;
    this.#pass = 1;
    this.#groupId = -1;
    this.own = 0n;
  }

  /** The server to ask now, or the next one that is there; null at the end of the walk. */
  master(): Master | null {
    for (;;) {
      const master = this.#nextMaster();
      if (master !== null) {
        if (master.groupId !== this.#groupId) this.own = 0n;
        this.#groupId = master.groupId;
        return master;
      }
      if (!this.#table.all.some((slot) => this.#movedBack(slot) >= this.#pass)) return null;
      if (this.#pass === PASSES_MAX) this.#begin();
      else this.#pass++;
      this.#groupId = -1;
    }
  }

  #movedBack(slot: Slot): number {
    return this.#table.moves.movesBackSince(this.#version, slot);
  }

  /** The first server from this group on that has keys for this pass. */
  #nextMaster(): Master | null {
    if (this.#pass === 1) {
      return this.#table.masters().find(({ groupId }) => groupId >= this.#groupId) ?? null;
    }
    let next: Master | null = null;
    const consider = (server: Master["server"] | null, groupId: number) => {
      if (server === null || groupId < this.#groupId) return;
      if (next === null || groupId < next.groupId) next = { server, groupId };
    };
    for (const slot of this.#table.all) {
      const movedBack = this.#movedBack(slot);
      if (movedBack < this.#pass - 1) continue;
      consider(slot.server, slot.groupId);
      // What was missed so far has made all of these moves, and left the source with the last.
      const hasLeft = isMovingBack(slot) && movedBack === this.#pass - 1;
      if (!hasLeft) consider(slot.migrateFrom, slot.migrateFromGroupId);
    }
    return next;
  }

  /** The reply to the client, made of the server's. */
  answered(reply: PartReply, { server }: Master): Uint8Array {
    // The last slot has left it: what is still to be found is elsewhere.
    if (reply.isFailure && server.uses === 0) return this.#goOn(EMPTY_ARRAY);
    const error = firstError([reply]);
    if (error !== undefined) return error;
    const found = readScanReply(reply.bytes);
    if (found === null) return badReply(reply);
    this.own = found.cursor;
    const theirs = withoutProbeKeys(found.elements);
    const keys = this.#pass === 1 ? theirs : this.#keysOfPass(theirs);
    return this.own === 0n ? this.#goOn(keys) : this.#replyHere(keys);
  }

  /** Of a server's keys, those of the slots that this pass is for: the others were returned before. */
  #keysOfPass(keys: Uint8Array): Uint8Array {
    const kept = (elementsOf(keys) ?? []).filter((key) => {
      const slot = this.#table.slotOf(key, key.indexOf(10) + 1, key.length - 2);
      return this.#movedBack(slot) >= this.#pass - 1;
    });
    const out = new Encoder(2).array(kept.length);
    for (const key of kept) out.raw(key);
    return out.done();
  }

  /** The server has no more keys for this pass. */
  #goOn(keys: Uint8Array): Uint8Array {
    this.#groupId++;
    this.own = 0n;
    return this.master() === null ? scanReply(0n, keys) : this.#replyHere(keys);
  }

  #replyHere(keys: Uint8Array): Uint8Array {
    const { own } = this;
    const cursor = cursorOf({
      own,
      version: this.#version,
      pass: this.#pass,
      groupId: this.#groupId,
    });
    if (cursor >= CURSOR_MAX) {
      return errorReply("ERR handle response, a server's cursor is too large");
    }
    return scanReply(cursor, keys);
  }
}
