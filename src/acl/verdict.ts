/**
 * Whether a user may run a command with its arguments, as acl.c decides it: a selector must allow all of it.
 *
 *      selector ─► command? ─► keys? ─► channels? ─► allowed
 *          └─ no ─────┴─ no ─────┴─ no ─► the next one … none ─► denied, with the reason that says most
 *
 * @module
 */

import type { Command } from "../command/command.ts";
import { type Arguments, isSameSpan } from "../resp/arguments.ts";
import {
  AccessedKeys,
  accessOfAnyKey,
  findAccessedKeys,
  hasKeys,
  isAccessVariable,
} from "./accessed_keys.ts";
import { matchesGlob } from "./glob.ts";
import { type ChannelPattern, READ, type Selector, WRITE } from "./selector.ts";
import type { User } from "./user.ts";

/** Redis's verdicts, in the order in which one says more than another. */
export const ALLOWED = 0;
/** See {@linkcode ALLOWED}. */
export const DENIED_COMMAND = 1;
/** See {@linkcode ALLOWED}. */
export const DENIED_KEY = 2;
/** See {@linkcode ALLOWED}. */
export const DENIED_CHANNEL = 4;

/** A verdict; for a key or a channel, with the index of the argument that is denied. */
export interface Verdict {
  reason: typeof ALLOWED | typeof DENIED_COMMAND | typeof DENIED_KEY | typeof DENIED_CHANNEL;
  index: number;
}

/** How commands name channels: how many, and whether they are patterns. */
const CHANNELS: Readonly<
  Record<string, { readonly isList: boolean; readonly isPattern: boolean }>
> = {
  subscribe: { isList: true, isPattern: false },
  ssubscribe: { isList: true, isPattern: false },
  psubscribe: { isList: true, isPattern: true },
  publish: { isList: false, isPattern: false },
  spublish: { isList: false, isPattern: false },
};

/** Whether a command names channels that a user must be allowed. */
export function namesChannels({ name }: Command): boolean {
  return CHANNELS[name] !== undefined;
}

const KEYS = new AccessedKeys();
/** Whether {@linkcode KEYS} are those of the request that is being checked. */
let hasFoundKeys = false;
/** The verdict on the newest request, and the one of a single selector. */
const VERDICT: Verdict = { reason: ALLOWED, index: 0 };
let deniedIndex = 0;

/**
 * Decides whether a user may run a command. The arity must have been checked. Borrows the arguments, all of
 * which must be here, until it returns.
 *
 * @returns Valid until the next call.
 */
export function verdictOn(user: User, command: Command, args: Arguments): Verdict {
  hasFoundKeys = false;
  VERDICT.reason = DENIED_COMMAND;
  VERDICT.index = 0;
  for (const selector of user.selectors) {
    const reason = checkSelector(selector, command, args);
    if (reason === ALLOWED) {
      VERDICT.reason = ALLOWED;
      return VERDICT;
    }
    if (reason > VERDICT.reason || (reason === VERDICT.reason && deniedIndex > VERDICT.index)) {
      VERDICT.reason = reason;
      VERDICT.index = deniedIndex;
    }
  }
  return VERDICT;
}

function checkSelector(selector: Selector, command: Command, args: Arguments): Verdict["reason"] {
  deniedIndex = 0;
  if (!allowsCommand(selector, command, args)) return DENIED_COMMAND;
  if (!selector.allKeys && hasKeys(command)) {
    if (!hasFoundKeys) findAccessedKeys(command, args, KEYS);
    hasFoundKeys = true;
    for (let i = 0; i < KEYS.count; i++) {
      const index = KEYS.indexes[i]!;
      if (!allowsKey(selector, args.bytes, args.start(index), args.end(index), KEYS.access[i]!)) {
        deniedIndex = index;
        return DENIED_KEY;
      }
    }
  }
  return selector.allChannels ? ALLOWED : checkChannels(selector, command, args);
}

function allowsCommand({ commands }: Selector, command: Command, args: Arguments): boolean {
  if (commands.allows(command)) return true;
  if (args.count < 2) return false;
  return commands.firstArgumentsOf(command).some((word) => isSameWord(args, 1, word));
}

/** Whether a selector allows an access to a key. */
export function allowsKey(
  selector: Selector,
  bytes: Uint8Array,
  start: number,
  end: number,
  access: number,
): boolean {
  if (selector.allKeys) return true;
  for (const pattern of selector.keys) {
    if ((pattern.access & access) !== access) continue;
    if (matchesGlob(pattern.bytes, bytes, start, end)) return true;
  }
  return false;
}

function checkChannels(
  { channels }: Selector,
  command: Command,
  args: Arguments,
): Verdict["reason"] {
  const named = CHANNELS[command.name];
  if (named === undefined) return ALLOWED;
  const end = named.isList ? args.count : 2;
  for (let i = 1; i < end; i++) {
    if (!allowsChannel(channels, args.bytes, args.start(i), args.end(i), named.isPattern)) {
      deniedIndex = i;
      return DENIED_CHANNEL;
    }
  }
  return ALLOWED;
}

/**
 * Whether one of the patterns allows a channel. What PSUBSCRIBE names is a pattern itself: it must be one of
 * the patterns, letter for letter.
 */
export function allowsChannel(
  channels: readonly ChannelPattern[],
  bytes: Uint8Array,
  start: number,
  end: number,
  isPattern: boolean,
): boolean {
  for (const channel of channels) {
    const isAllowed = isPattern
      ? isSameSpan(channel.bytes, 0, channel.bytes.length, bytes, start, end)
      : matchesGlob(channel.bytes, bytes, start, end);
    if (isAllowed) return true;
  }
  return false;
}

/** Whether argument `i` is a word, in any spelling of upper and lower case. */
function isSameWord(args: Arguments, i: number, word: string): boolean {
  const start = args.start(i);
  if (args.end(i) - start !== word.length) return false;
  for (let at = 0; at < word.length; at++) {
    if (lower(args.bytes[start + at]!) !== lower(word.charCodeAt(at))) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

// -- other questions ---------------------------------------------------------------------------

/**
 * Whether a request with one key may begin to be handed on before all of it is here.
 *
 * @param args The arguments that are here, the key among them.
 * @returns Valid until the next call; null when it depends on options that are still to come.
 */
export function checkBeginning(
  user: User,
  command: Command,
  args: Arguments,
  key: number,
): Verdict | null {
  const isVariable = isAccessVariable(command);
  const least = isVariable ? 0 : accessOfAnyKey(command);
  const most = isVariable ? READ | WRITE : least;
  const able = user.selectors.filter((selector) => allowsCommand(selector, command, args));
  const allows = (access: number) =>
    able.some((selector) =>
      allowsKey(selector, args.bytes, args.start(key), args.end(key), access)
    );
  VERDICT.index = key;
  VERDICT.reason = able.length === 0 ? DENIED_COMMAND : allows(most) ? ALLOWED : DENIED_KEY;
  return VERDICT.reason === DENIED_KEY && allows(least) && most !== least ? null : VERDICT;
}

/**
 * Whether a user may run a command and, by the same selector, read every key there is: what SORT needs for
 * BY and GET.
 */
export function mayReadAllKeys(user: User, command: Command, args: Arguments): boolean {
  hasFoundKeys = false;
  return user.selectors.some((selector) =>
    checkSelector(selector, command, args) === ALLOWED &&
    (selector.allKeys ||
      selector.keys.some(({ access, pattern }) => (access & READ) !== 0 && pattern === "*"))
  );
}

/** Whether a user may stay subscribed to a channel or pattern: one of all its selectors' patterns allows it. */
export function mayStaySubscribed(user: User, channel: Uint8Array, isPattern: boolean): boolean {
  return user.selectors.some(({ allChannels, channels }) =>
    allChannels || allowsChannel(channels, channel, 0, channel.length, isPattern)
  );
}

/** Whether a change of a user's rules can have taken a channel from it. */
export function mayHaveLostChannels(
  before: readonly Selector[],
  after: readonly Selector[],
): boolean {
  if (after.some(({ allChannels }) => allChannels)) return false;
  const kept = new Set(after.flatMap(({ channels }) => channels.map(({ pattern }) => pattern)));
  return before.some(({ allChannels, channels }) =>
    allChannels || channels.some(({ pattern }) => !kept.has(pattern))
  );
}
