/**
 * SCAN over all masters: one after the other, in the order of their groups, in passes.
 *
 *      cursor  =  the server's own cursor │ masters │ version │ pass │ group        begin: 0, end: 0
 *
 *      pass 1      every group                                                            ─┐
 *      pass n + 1  where the slots are that have moved back n times since `version`  ◄──────┘ if any have
 *
 * A cursor holds all there is to know, so a walk may go on over another connection, worker or proxy of
 * the product, and nothing is left of one that was given up. It holds what Redis promises: a key that is
 * there from the first call to the last is returned at least once, also while slots move, masters change
 * and groups come and go; {@link ../slots/slot_moves.ts} says why. At each cursor, such a key
 *
 * - was returned,
 * - or is in a group that comes later, or in this one, where the server's own cursor has not been,
 * - or is in a slot that has moved back as often as there were passes, so another one comes.
 *
 * A server's own cursor means nothing at another one. So `masters` says how often the group has got another
 * master since `version`: where it was less often than we know, the group is visited anew. Where it cannot be
 * known what has changed, the walk begins anew, with the same cursor: keys come twice, none is missed. That
 * is so when the cursor is of a time before this proxy had its table, or when it is of a newer table than ours:
 * of a newer version, of a master that we have not heard of, of a pass for which we know no slots. And while a
 * slot is in doubt, no pass ends, and none but the first goes on: another proxy may have begun it for that slot,
 * whose new group is not known here.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { elementsOf } from "../../resp/elements.ts";
import { type Arguments, copyWords } from "../../resp/arguments.ts";
import { Encoder, encodeRequest, errorReply } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { withoutProbeKeys } from "../../resp/probe_key.ts";
import type { Master } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import type { RouterSlots } from "../slots/router_slots.ts";
import { isInDoubt, isMovingBack, VERSIONS_KEPT } from "../slots/slot_moves.ts";
import type { Slot } from "../slots/slot.ts";
import { whenSettled } from "../slots/when_usable.ts";
import { askAll, parkForMasters } from "./ask_masters.ts";
import type { PartReply } from "./gather.ts";
import { badReply, firstError } from "./merge.ts";

/** Passes that a cursor can name; a slot that has moved back more often makes the walk begin anew. */
const PASSES_MAX = 4;
/** Versions that a cursor can tell apart: those that are kept, and as many that are none of ours. */
const VERSIONS = 2 * VERSIONS_KEPT;
/** Changes of a group's master that a cursor can tell apart; one more makes the walk begin anew. */
const MASTERS = 4;
/** How long a call waits for slots that are in doubt, in milliseconds; then the client asks again. */
const DOUBT_MS = 100;
/** Where a cursor becomes too large for clients that take it for a signed number. */
const CURSOR_MAX = 2n ** 63n;

/** A place in a walk. */
export interface ScanPlace {
  /** The server's own cursor. */
  readonly own: bigint;
  /** How often the group has got another master since the walk began, until the server's own cursor; 0 without. */
  readonly masters: number;
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
export function cursorOf({ own, masters, version, pass, groupId }: ScanPlace): bigint {
  let cursor = own * BigInt(MASTERS) + BigInt(masters % MASTERS);
  cursor = cursor * BigInt(VERSIONS) + BigInt(version % VERSIONS);
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
  cursor /= BigInt(VERSIONS);
  const masters = Number(cursor % BigInt(MASTERS));
  return { own: cursor / BigInt(MASTERS), masters, version, pass, groupId: group - 1 };
}

/** One step of a walk. Borrows the arguments until it returns. */
export function scan(client: Client, command: Command, args: Arguments): void {
  const words: Uint8Array[] = copyWords(args);
  const text = new TextDecoder().decode(words[1]!);
  // As strtoul() reads it: a sign is taken, and nothing is 0.
  const isNumber = /^([+-]?\d{1,20})?$/.test(text) && BigInt(text) < 2n ** 64n;
  if (!isNumber) return client.answer(errorReply("ERR invalid cursor"));
  const cursor = BigInt.asUintN(64, BigInt(text));
  const walk = new Walk(client.shared.slots, placeOf(cursor), cursor === 0n);
  if (walk.isInDoubt()) return answerLater(client, command, walk);
  const master = walk.master();
  if (master === null) return client.answer(walk.reply(EMPTY_ARRAY));
  words[1] = new TextEncoder().encode(String(walk.own));
  scanFrom(client, command, walk, master, words);
}

/**
 * Asks a server for a page. Where it has nothing, the next ones are asked in the same call: many programs take an
 * empty first page for the end, since one redis-server answers such a page only of what it has left out.
 */
function scanFrom(
  client: Client,
  command: Command,
  walk: Walk,
  first: Master,
  words: Uint8Array[],
): void {
  const { pool } = client.shared.slots;
  let bytes = encodeRequest(words);
  const parked = parkForMasters(client, command, [first], bytes);
  if (parked === null) return;
  client.isAtBarrier = true; // what follows must not overtake a later server
  const { parent, expectedBytes } = parked;
  let serversLeft = client.shared.slots.masters().length;
  const ask = (master: Master) => {
    const answered = ([reply]: readonly PartReply[]) => {
      const page = walk.answered(reply!, master);
      const next = --serversLeft > 0 ? walk.nextAfterNothing() : null;
      if (next === null) return page;
      words[1] = ZERO;
      bytes = encodeRequest(words);
      ask(next);
      return null;
    };
    const letGo = pool.keep([master]);
    askAll(client, parent, [master], answered, bytes, expectedBytes, letGo);
  };
  ask(first);
}

const ZERO = new TextEncoder().encode("0");

const EMPTY_ARRAY = new Encoder(2).array(0).done();

function isEmptyArray(bytes: Uint8Array): boolean {
  return bytes.length === EMPTY_ARRAY.length && bytes[1] === EMPTY_ARRAY[1];
}

/** Gives slots a moment in which they may be settled: the client would ask again at once. */
function answerLater({ shared, replies }: Client, command: Command, walk: Walk): void {
  const parent = replies.park(command);
  const answer = () => replies.completed(parent, walk.reply(EMPTY_ARRAY));
  whenSettled(shared.slots.all, DOUBT_MS, answer);
}

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
  /** How often the group had got another master by then when the server was chosen. */
  #masters: number;
  own: bigint;
  /** Whether a server has just been left of which nothing was to be returned. */
  #foundNothing = false;

  constructor(table: RouterSlots, place: ScanPlace, isNew: boolean) {
    this.#table = table;
    const { moves } = table;
    const age = (moves.version - place.version) % VERSIONS;
    this.#version = moves.version - (age < 0 ? age + VERSIONS : age);
    this.#pass = place.pass;
    this.#groupId = place.groupId;
    this.own = place.own;
    this.#masters = this.#mastersNow();
    const isKnown = this.#version > moves.version - VERSIONS_KEPT &&
      this.#version >= moves.knownSince;
    if (isNew || !isKnown || this.#isOfNewerTable(place)) this.#begin();
    else if (this.#masters !== place.masters) this.own = 0n;
  }

  #isOfNewerTable({ own, masters, pass }: ScanPlace): boolean {
    // Begun anew also if it cannot be told whether it was so often, or less.
    if (own !== 0n && (masters > this.#masters || this.#masters >= MASTERS)) return true;
    return pass > 1 && !this.#hasMovedBack(pass - 1);
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
        this.#masters = this.#mastersNow();
        return master;
      }
      if (!this.#hasMovedBack(this.#pass)) return null;
      if (this.#pass === PASSES_MAX) this.#begin();
      else this.#pass++;
      this.#groupId = -1;
    }
  }

  /** Whether it is not known which servers are to be asked next: a slot is in doubt that may move back. */
  isInDoubt(): boolean {
    const mayEnd = this.#pass > 1 || this.#nextMaster() === null;
    return mayEnd && this.#table.all.some(isInDoubt);
  }

  #mastersNow(): number {
    return this.#table.moves.mastersSince(this.#version, this.#groupId);
  }

  #movedBack(slot: Slot): number {
    return this.#table.moves.movesBackSince(this.#version, slot);
  }

  #hasMovedBack(times: number): boolean {
    return this.#table.all.some((slot) => this.#movedBack(slot) >= times);
  }

  /** The first server from this group on that has keys for this pass. */
  #nextMaster(): Master | null {
    let next: number | null = null;
    const consider = (server: Master["server"] | null, groupId: number) => {
      if (server === null || groupId < this.#groupId) return;
      if (next === null || groupId < next) next = groupId;
    };
    if (this.#pass === 1) {
      for (const { server, groupId } of this.#table.masters()) consider(server, groupId);
    } else {
      for (const slot of this.#table.all) {
        const movedBack = this.#movedBack(slot);
        if (movedBack < this.#pass - 1) continue;
        consider(slot.server, slot.groupId);
        // What was missed so far has made all of these moves, and left the source with the last.
        const hasLeft = isMovingBack(slot) && movedBack === this.#pass - 1;
        if (!hasLeft) consider(slot.migrateFrom, slot.migrateFromGroupId);
      }
    }
    if (next === null) return null;
    // While a master changes, slot by slot, the group has two: the new one has all keys.
    const masters = this.#table.masters().filter(({ groupId }) => groupId === next);
    const newest = this.#table.moves.masterOf(next);
    return masters.find(({ server }) => server.address === newest) ?? masters[0] ?? null;
  }

  /** The reply to the client, made of the server's. */
  answered(reply: PartReply, { server, groupId }: Master): Uint8Array {
    // What it has not returned is at the group's new master, or has left the group with its last slot.
    this.#foundNothing = false;
    if (reply.isFailure && server.uses === 0) return this.#goOn(EMPTY_ARRAY, groupId);
    const error = firstError([reply]);
    if (error !== undefined) return error;
    const found = readScanReply(reply.bytes);
    if (found === null) return badReply(reply);
    const theirs = withoutProbeKeys(found.elements);
    const keys = this.#pass === 1 ? theirs : this.#keysOfPass(theirs);
    // It may have answered after it was emptied for the sake of the new master.
    if (this.#mastersNow() !== this.#masters) return this.#goOn(keys, groupId);
    if (found.cursor === 0n) {
      this.#foundNothing = isEmptyArray(keys);
      return this.#goOn(keys, groupId + 1);
    }
    this.own = found.cursor;
    return this.reply(keys);
  }

  /**
   * The server to ask next in the same call: one of the first pass, for the later ones are short, and their ends
   * wait for slots. Null when the page that was made is to be answered.
   */
  nextAfterNothing(): Master | null {
    if (!this.#foundNothing || this.#pass > 1 || this.isInDoubt()) return null;
    const next = this.master();
    return this.#pass === 1 ? next : null;
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

  /** From the beginning of this group on. */
  #goOn(keys: Uint8Array, groupId: number): Uint8Array {
    this.#groupId = groupId;
    this.own = 0n;
    return this.reply(keys);
  }

  /** The reply to the client; the walk has ended when there is no server to ask. */
  reply(keys: Uint8Array): Uint8Array {
    const { own } = this;
    if (own === 0n && !this.isInDoubt() && this.master() === null) return scanReply(0n, keys);
    const cursor = cursorOf({
      own,
      masters: own === 0n ? 0 : this.#masters,
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
