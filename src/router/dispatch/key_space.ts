/**
 * Commands about all keys at once, also while keys move: KEYS, RANDOMKEY, FLUSHALL, FLUSHDB, DBSIZE.
 *
 *      round 1      all masters
 *      round n + 1  the owners of the slots that have moved n times meanwhile ◄─ none: answered
 *
 * A key that moves between two servers' answers is met by neither. It is then where its slot went, so
 * that server is asked again; {@link ../slots/slot_moves.ts} says why that is enough. What becomes of a slot
 * that is in doubt is waited for before it is asked again. DBSIZE cannot tell which
 * keys were counted. It asks the source of a move before its target, so that a key which is there all the
 * time is counted, and twice if it moves between the two answers: the sum is too high by what moves in that
 * moment, and never too low, unless servers give slots to each other in a ring.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { elementsOf } from "../../resp/elements.ts";
import { Encoder, errorReply, type Protocol } from "../../resp/encoder.ts";
import { isProbeKey, withoutProbeKeys } from "../../resp/probe_key.ts";
import { SLOT_NOT_READY, SLOTS_MOVE_TOO_FAST } from "../errors.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { Master } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import type { Request } from "../request.ts";
import type { RouterSlots } from "../slots/router_slots.ts";
import type { Slot } from "../slots/slot.ts";
import { isInDoubt } from "../slots/slot_moves.ts";
import { whenSettled } from "../slots/when_usable.ts";
import { askAll, parkForMasters } from "./ask_masters.ts";
import type { PartReply } from "./gather.ts";
import { firstError, isNull, MERGES } from "./merge.ts";

/** Rounds, and beginnings, after which a command is given up. */
const ROUNDS_MAX = 8;

/** Whether a command is about keys, wherever they are, and not about servers. */
export function isAboutKeys(command: Command): boolean {
  if (command.origin === "learned" && command.merge === "concat") return false; // perhaps no keys
  return command.categories.includes("@keyspace");
}

/**
 * Asks every server that has keys, unless their replies may not be asked for now. Copies `bytes`, the
 * request.
 */
export function askKeySpace(client: Client, command: Command, bytes: Uint8Array): void {
  const parked = parkForMasters(client, command, client.shared.slots.masters(), bytes);
  if (parked === null) return;
  client.isAtBarrier = true; // what follows must not overtake a later round
  const { parent, expectedBytes } = parked;
  new KeySpaceCall(client, parent, command, bytes.slice(), expectedBytes).begin();
}

/** One such command in flight. */
class KeySpaceCall {
  readonly #client: Client;
  readonly #table: RouterSlots;
  readonly #parent: Request;
  readonly #command: Command;
  readonly #bytes: Uint8Array;
  /** What each server's reply is expected to have, in bytes. */
  readonly #expectedBytes: number;
  #beginnings = 0;
  #rounds = 0;
  /** The version of the table when it began. */
  #since = 0;
  /** Slots whose keys may not all have been met. */
  #unsure: readonly Slot[] = [];
  /** Replies to KEYS: keys of slots that are sure, then those of the others, each once. */
  #sureKeys: Uint8Array[] = [];
  readonly #otherKeys = new Map<string, Uint8Array>();
  /** Servers that DBSIZE asks later, and the sum so far. */
  #stages: Master[][] = [];
  #sum = 0n;

  constructor(
    client: Client,
    parent: Request,
    command: Command,
    bytes: Uint8Array,
    expectedBytes: number,
  ) {
    this.#expectedBytes = expectedBytes;
    this.#client = client;
    this.#table = client.shared.slots;
    this.#parent = parent;
    this.#command = command;
    this.#bytes = bytes;
  }

  begin(): void {
    this.#beginnings++;
    this.#rounds = 0;
    this.#since = this.#table.moves.version;
    this.#unsure = this.#table.all;
    this.#sureKeys = [];
    this.#otherKeys.clear();
    this.#sum = 0n;
    const isCount = this.#command.merge === "agg_sum";
    this.#stages = isCount ? stagesOf(this.#table) : [[...this.#table.masters()]];
    this.#ask(this.#stages.shift()!);
  }

  #ask(masters: readonly Master[]): void {
    this.#rounds++;
    askAll(
      this.#client,
      this.#parent,
      masters,
      (replies, protocol) => this.#answered(masters, replies, protocol),
      this.#bytes,
      this.#expectedBytes,
    );
  }

  /** The command's reply; null when more servers are asked first. */
  #answered(
    askedMasters: readonly Master[],
    replies: readonly PartReply[],
    protocol: Protocol,
  ): Uint8Array | null {
    // A server that the last slot has left meanwhile is cut off: its keys are elsewhere.
    const isGone = replies.some((reply, i) =>
      reply.isFailure && askedMasters[i]!.server.uses === 0
    );
    if (
      (isGone || this.#hasDrawnOurs(replies)) && this.#beginnings < ROUNDS_MAX &&
      this.#table.masters().length > 0
    ) {
      this.begin();
      return null;
    }
    const error = firstError(replies);
    if (error !== undefined) return error;
    const merged = () => MERGES[this.#command.merge]!(replies, protocol);
    if (this.#command.merge === "agg_sum") return this.#count(merged());
    if (this.#command.merge === "random_key" && !isNull(merged())) return merged();
    const askedSlots = new Set(this.#unsure);
    this.#unsure = this.#unsure.filter((slot) =>
      this.#movesOf(slot) + (isInDoubt(slot) ? 1 : 0) >= this.#rounds
    );
    const isLast = this.#unsure.every(isNowhere);
    if (isLast && this.#rounds === 1) return merged();
    if (this.#command.merge === "concat") this.#keepKeys(replies, askedSlots);
    if (isLast) return this.#command.merge === "concat" ? this.#allKeys() : merged();
    if (this.#rounds >= ROUNDS_MAX) return errorReply(SLOTS_MOVE_TOO_FAST);
    this.#askAgain();
    return null;
  }

  #askAgain(): void {
    const { shared, replies } = this.#client;
    whenSettled(this.#unsure, shared.options.slotWaitMs, (error) => {
      const masters = this.#mastersOf(this.#unsure);
      if (error !== "") replies.completed(this.#parent, errorReply(error), true);
      else if (masters.length === 0) {
        replies.completed(this.#parent, errorReply(SLOT_NOT_READY), true);
      } else this.#ask(masters);
    });
  }

  /** Whether RANDOMKEY met nothing but a key of our own, which is there for a moment only. */
  #hasDrawnOurs(replies: readonly PartReply[]): boolean {
    return this.#command.merge === "random_key" &&
      replies.some(({ bytes }) => isProbeKey(bytes)) &&
      replies.every(({ bytes }) => isProbeKey(bytes) || isNull(bytes));
  }

  #movesOf(slot: Slot): number {
    return this.#table.moves.movesSince(this.#since, slot);
  }

  #count(reply: Uint8Array): Uint8Array | null {
    if (reply[0] !== 58 /* : */) return reply;
    this.#sum += BigInt(new TextDecoder().decode(reply.subarray(1)).trim());
    const next = this.#stages.shift();
    if (next === undefined) return new Encoder(2).integer(this.#sum).done();
    this.#ask(next);
    return null;
  }

  /** Where the keys of these slots are that were not met in the rounds so far. */
  #mastersOf(slots: readonly Slot[]): Master[] {
    const servers = new Set<Master["server"] | null>();
    for (const slot of slots) {
      servers.add(slot.server);
      // A key that was not met has moved once in each round: with the last move it left the source.
      if (this.#movesOf(slot) > this.#rounds) servers.add(slot.migrateFrom);
    }
    return this.#table.masters().filter(({ server }) => servers.has(server));
  }

  /** Keeps the keys that servers named, as far as they were asked for them. Copies them. */
  #keepKeys(replies: readonly PartReply[], asked: ReadonlySet<Slot>): void {
    const unsure = new Set(this.#unsure);
    for (const { bytes } of replies) {
      for (const key of elementsOf(withoutProbeKeys(bytes)) ?? []) {
        const start = key.indexOf(10) + 1;
        const slot = this.#table.slotOf(key, start, key.length - 2);
        if (!asked.has(slot)) continue;
        if (this.#rounds === 1 && !unsure.has(slot)) this.#sureKeys.push(key.slice());
        else this.#otherKeys.set(latin1(key, start, key.length - 2), key.slice());
        this.#client.replies.charge(this.#parent, key.length);
      }
    }
  }

  #allKeys(): Uint8Array {
    const keys = [...this.#sureKeys, ...this.#otherKeys.values()];
    const out = new Encoder(2).array(keys.length);
    for (const key of keys) out.raw(key);
    return out.done();
  }
}

function isNowhere({ server, migrateFrom }: Slot): boolean {
  return server === null && migrateFrom === null;
}

/** All masters in stages: no target of a move before its source, unless they form a ring. */
export function stagesOf(table: RouterSlots): Master[][] {
  const stages: Master[][] = [];
  let left = [...table.masters()];
  const moving = table.all.filter((slot) => slot.migrateFrom !== null);
  while (left.length > 0) {
    const servers = new Set(left.map(({ server }) => server));
    const targets = new Set(
      moving.filter((slot) => servers.has(slot.migrateFrom!)).map((slot) => slot.server),
    );
    const free = left.filter(({ server }) => !targets.has(server));
    const stage = free.length === 0 ? left : free;
    stages.push(stage);
    left = left.filter((master) => !stage.includes(master));
  }
  return stages;
}
