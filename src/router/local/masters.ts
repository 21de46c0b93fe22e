/**
 * What commands have in common that all masters answer together.
 *
 *      the command ─► all masters ─► answers ─┬─ one value of all (answers about servers)
 *                                             └─ done everywhere, or where not (orders to servers)
 *
 * They are asked as the user that moves keys: what clients may ask of servers is decided here, so that the
 * user of clients' requests needs no right to it.
 *
 * @module
 */

import { Encoder, errorReply, PING, type Protocol } from "../../resp/encoder.ts";
import type { Command } from "../../command/command.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { ReplyFailure, type ReplyValue } from "../../resp/reply_value.ts";
import { askEach, type MasterAnswer } from "../backends/ask_each.ts";
import type { Master } from "../backends/server.ts";
import { SLOT_NOT_READY } from "../errors.ts";
import type { FlightCounter } from "../request.ts";
import { answerWhen, type LocalCall, requestOf } from "./local_call.ts";

/** How a question to all masters differs from the client's own request. */
export interface MastersAsking {
  /** What is asked; by default what the client has sent. */
  readonly bytes?: Uint8Array;
  /** Whether slots may not change hands until it is answered. */
  readonly holdsSlots?: boolean;
  /** Over connections of their own, past whatever a server is busy with. */
  readonly isAlone?: boolean;
  /** What is done before; they are not asked when it resolves with a reply. */
  readonly first?: () => Promise<Uint8Array | null>;
}

/**
 * Asks all masters; what the client sends after it waits.
 *
 * @param reply Makes the client's reply of the answers.
 */
export function askMasters(
  call: LocalCall,
  reply: (answers: readonly MasterAnswer[], protocol: Protocol) => Uint8Array,
  { bytes = requestOf(call), isAlone = false, holdsSlots = false, first }: MastersAsking = {},
): Uint8Array | null {
  const { client } = call;
  const { database, protocol, shared } = client;
  const masters: readonly Master[] = shared.slots.masters();
  if (masters.length === 0) return errorReply(SLOT_NOT_READY);
  const isAsOwner = shared.options.moverLogin !== undefined;
  return answerWhen(call, (answer) => {
    const counter = ({ server }: Master) =>
      counterOf(holdsSlots ? shared.slots.all.filter((slot) => slot.server === server) : []);
    const letGo = shared.slots.pool.keep(masters);
    const ask = () =>
      askEach(masters, bytes, { database, protocol, isAsOwner, isAlone, counter }, (answers) => {
        letGo();
        answer(reply(answers, protocol));
      });
    const begin = () => {
      // Over other connections than the client's earlier requests, which must be done before.
      if (isAsOwner) askEach(masters, PING, { database, protocol }, ask);
      else ask();
    };
    if (first === undefined) return begin();
    first().then((refusal) => {
      if (refusal === null) return begin();
      letGo();
      answer(refusal);
    });
  });
}

/** Counts a request in flight at many slots. */
function counterOf(slots: readonly FlightCounter[]): FlightCounter {
  return {
    id: slots[0]?.id ?? 0,
    enter() {
      for (const slot of slots) slot.enter();
    },
    leave() {
      for (const slot of slots) slot.leave();
    },
  };
}

/**
 * One value of what all masters say.
 *
 * @param combine Gets the values of those that answered; called with one at least.
 */
export function answerOfAll(
  call: LocalCall,
  combine: (values: readonly ReplyValue[], out: Encoder) => Encoder,
  asking: MastersAsking = {},
): Uint8Array | null {
  return askMasters(call, (answers, protocol) => {
    const failed = answers.find(({ value }) => value instanceof ReplyFailure);
    if (failed !== undefined) return errorReply((failed.value as ReplyFailure).text);
    return combine(answers.map(({ value }) => value), new Encoder(protocol)).done();
  }, asking);
}

/** The texts of all masters: one where all say the same, else each under its address. */
export function textOfAll(call: LocalCall): Uint8Array | null {
  return askMasters(call, (answers, protocol) => {
    const told = answers.filter(({ value }) => !(value instanceof ReplyFailure));
    if (told.length === 0) return errorReply((answers[0]!.value as ReplyFailure).text);
    const texts = new Set(told.map(({ value }) => `${value}`));
    const isOne = texts.size === 1 && answers.every(({ isReply }) => isReply);
    const text = isOne ? [...texts][0]! : answers.map(({ master, value }) => {
      const own = value instanceof ReplyFailure ? value.text : `${value}`;
      return `# ${master.server.address}\n${own.replace(/\n*$/, "\n")}`;
    }).join("\n");
    return new Encoder(protocol).verbatim(new TextDecoder().decode(latin1Bytes(text))).done();
  });
}

/** An order to all masters: their answer, or which of them have not done it. */
export function orderToAll(call: LocalCall, asking: MastersAsking = {}): Uint8Array | null {
  return askMasters(call, (answers) => doneByAll(call, answers), asking);
}

/**
 * What was done of an order, as a reply: see {@linkcode orderToAll}.
 *
 * @param nor Who else has not done it, where only a part of the masters has: `"the proxy"`. @default nobody
 */
export function doneByAll(
  { command }: LocalCall,
  answers: readonly MasterAnswer[],
  nor = "",
): Uint8Array {
  const failed = answers.filter(({ value }) => value instanceof ReplyFailure);
  if (failed.length === 0) {
    const [{ value }] = answers as [MasterAnswer];
    if (typeof value === "number") {
      return new Encoder(2).integer(Math.max(...answers.map(({ value }) => Number(value)))).done();
    }
    return new Encoder(2).simple(`${value}`).done();
  }
  const texts = new Set(failed.map(({ value }) => (value as ReplyFailure).text));
  if (failed.length === answers.length && texts.size === 1) return errorReply([...texts][0]!);
  return notDoneByAll(command, answers, answers.length, nor);
}

/**
 * Which masters have not done what all were asked to do, as an error reply.
 *
 * @param count How many were asked; those without an answer here have done it.
 * @param nor Who else has not done it. @default nobody
 */
export function notDoneByAll(
  command: Command,
  answers: readonly MasterAnswer[],
  count: number,
  nor = "",
): Uint8Array {
  const failed = answers.filter(({ value }) => value instanceof ReplyFailure);
  const name = command.name.toUpperCase().replace("|", " ");
  return errorReply(
    `ERR ${name} was done at ${count - failed.length} of ${count} masters, and not at ${
      nor === "" ? "" : `${nor} and at `
    }${causesOf(failed)}`,
  );
}

/** What each of the masters that failed says, behind its address. */
export function causesOf(failed: readonly MasterAnswer[]): string {
  return failed.map(({ master, value }) =>
    `${master.server.address}: ${(value as ReplyFailure).text}`
  ).join("; ");
}

/** Writes any value; texts as bulks, nested lists as arrays. */
export function encodeValue(out: Encoder, value: ReplyValue): Encoder {
  if (value === null) return out.null();
  if (typeof value === "number") return out.integer(value);
  if (typeof value === "boolean") return out.integer(value ? 1 : 0);
  if (typeof value === "string") return out.bulk(latin1Bytes(value));
  if (value instanceof ReplyFailure) return out.error(value.text);
  out.array(value.length);
  for (const each of value) encodeValue(out, each);
  return out;
}

/** A value as a list; empty when it is none. */
export function itemsOf(value: ReplyValue | undefined): readonly ReplyValue[] {
  return Array.isArray(value) ? value : [];
}

/** A flat list of names and values as pairs. */
export function pairsOf(value: ReplyValue | undefined): [name: string, value: ReplyValue][] {
  const list = itemsOf(value);
  const pairs: [string, ReplyValue][] = [];
  for (let i = 0; i + 1 < list.length; i += 2) pairs.push([`${list[i]}`, list[i + 1]!]);
  return pairs;
}
