/**
 * The arguments and flags that several commands take, each with its rule.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../base/address.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import { GROUP_ID_MAX, GROUP_ID_MIN } from "../../model/group.ts";
import { type Argument, type Flag, type FlagValues, readValue, UsageError } from "./subcommand.ts";

/** Longest pause between two moves, in milliseconds. */
const DELAY_MS_MAX = 3_600_000;

/** A group. */
export const GROUP_ID: Argument<number> = {
  name: "group_id",
  help: "number of a group, usually from 1",
  parse: (text) => parseWhole(text, "a group", GROUP_ID_MIN, GROUP_ID_MAX),
};

/** A Redis server. */
export const REDIS_ADDR: Argument<string> = {
  name: "redis_addr",
  help: "host:port of a Redis server",
  parse: (text) => formatAddress(parseAddress(text)),
};

/** One slot. */
export const SLOT_ID: Argument<number> = {
  name: "slot_id",
  help: `number of a slot, 0 to ${SLOT_COUNT - 1}`,
  parse: parseSlotId,
};

/** The first of several slots. */
export const SLOT_FROM: Argument<number> = {
  name: "slot_from",
  help: `first slot, 0 to ${SLOT_COUNT - 1}`,
  parse: parseSlotId,
};

/** The last of several slots. */
export const SLOT_TO: Argument<number> = {
  name: "slot_to",
  help: "last slot, not below <slot_from>",
  parse: parseSlotId,
};

/** A proxy. */
export const PROXY_NAME: Argument<string> = {
  name: "proxy_name",
  help: "proxy_id of a proxy",
  parse: (text) => {
    if (text !== "" && !text.includes("/")) return text;
    throw new SyntaxError(`"${text}" is not a proxy_id: it must not be empty or contain "/"`);
  },
};

/** The pause between two moves of a migration. */
export const DELAY: Flag<number> = {
  name: "delay",
  value: "ms",
  default: "",
  help: "pause between two moves, to spare the servers",
  parse: (text) => parseWhole(text, "a delay in milliseconds", 0, DELAY_MS_MAX),
};

/** Whether to wait for the migration. */
export const WAIT: Flag = {
  name: "wait",
  value: "",
  default: "",
  help: "wait until the migration is done; Ctrl-C ends the wait, not the migration",
};

/** An argument that is one of `words`. */
export function wordArgument<W extends string>(
  name: string,
  words: readonly W[],
  help = words.join(" or "),
): Argument<W> {
  return { name, help, words, parse: (text) => parseWord(text, words) };
}

/**
 * Reads a range of slots.
 *
 * @throws {UsageError} When the first is above the last.
 */
export function readSlotRange(values: FlagValues): { readonly from: number; readonly to: number } {
  const [from, to] = [readValue(values, SLOT_FROM), readValue(values, SLOT_TO)];
  if (from <= to) return { from, to };
  throw new UsageError(
    `bad <slot_to>: ${to} is below <slot_from> ${from}; the lower one comes first`,
  );
}

/**
 * Reads one of several words.
 *
 * @throws {SyntaxError} When it is none of them.
 */
export function parseWord<W extends string>(text: string, words: readonly W[]): W {
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw new SyntaxError(`"${text}" is not one of ${words.join(", ")}`);
}

/**
 * Reads a whole number.
 *
 * @param what What the number is, for the message: `a slot`.
 * @throws {SyntaxError} When it is not one, or below `min` or above `max`.
 */
export function parseWhole(text: string, what: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new SyntaxError(`"${text}" is not ${what}: a whole number, ${min} to ${max}`);
}

function parseSlotId(text: string): number {
  return parseWhole(text, "a slot", 0, SLOT_COUNT - 1);
}
