/**
 * Decides what happens to a parsed request: the one place where all kinds of commands part ways.
 *
 *      known? ─► arity ─► authenticated? ─► allowed? ─┬─ forward ─► keys ─► one slot ─► its server
 *                                                      ├─ split ──► parts by server ─► merge
 *                                                      ├─ fan out ► every server ────► merge
 *                                                      └─ local ──► answered here
 *
 * @module
 */

import { arityMatches, type Command } from "../../command/command.ts";
import { findByName, findCommand } from "../../command/command_table.ts";
import { givesBlockingOption, KeyIndexes, keyIndexes, looseCountIndex } from "../../command/key.ts";
import { isOlder } from "../../command/redis_version.ts";
import { keyHashOf, SLOT_COUNT, slotIdOf } from "../../hash/slot_id.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { errorReply } from "../../resp/encoder.ts";
import { ELEMENTS_MAX_BEFORE_7, type RequestParser } from "../../resp/request_parser.ts";
import {
  CROSS_SLOT,
  NO_AUTH,
  notAllowed,
  tooManyArguments,
  unknownCommand,
  unknownSubcommand,
  wrongArity,
} from "../errors.ts";
import { fanOut } from "./fan_out.ts";
import { answerLocally } from "../local/local_commands.ts";
import type { Router } from "../router.ts";
import type { Session } from "../client/session.ts";
import { split } from "./split.ts";

/** Key positions of the request being dispatched. */
const KEYS = new KeyIndexes();

/** Dispatches the request that `parser` found. Borrows its bytes until it returns. */
export function dispatch(session: Session, parser: RequestParser): void {
  const command = findCommand(parser);
  if (command === undefined) return refuse(session, unknownText(parser));
  session.lastCommand = command;
  if (!arityMatches(command, parser.count)) return refuse(session, wrongArity(command.name));
  if (command.isContainer && parser.count > 1 && command.handling !== "local") {
    return refuse(session, unknownSubcommand(command.name, parser));
  }
  if (!session.isAuthenticated && !command.isAllowedBeforeAuth) return refuse(session, NO_AUTH);
  if (parser.count > ELEMENTS_MAX_BEFORE_7 && isBeforeRedis7(session.router)) {
    return refuse(session, tooManyArguments(parser.count, ELEMENTS_MAX_BEFORE_7));
  }
  const { refusal } = session.router;
  switch (command.handling) {
    case "forward":
      return refusal === "" ? forward(session, command, parser) : refuse(session, refusal);
    case "split":
      return refusal === "" ? split(session, command, parser) : refuse(session, refusal);
    case "fanout": {
      const refusal = refusalOf(session.router, command, parser);
      return refusal === "" ? fanOut(session, command, parser) : refuse(session, refusal);
    }
    case "local":
      if (session.router.isLoading && !isKnownWhileLoading(command)) {
        return refuse(session, refusal);
      }
      return answerLocally(session, command, parser);
    case "refuse":
      refuse(session, refusalOf(session.router, command, parser));
      if (command.closesSession) session.drain();
      return;
  }
}

/** Sessions whose request of very many arguments has waited already. */
const HAVE_WAITED = new WeakSet<Session>();

/**
 * Whether a request of more than {@linkcode ELEMENTS_MAX_BEFORE_7} arguments must wait until it is known
 * what servers there are: those before Redis 7 hang up on so many arguments, and with it on everybody who
 * shares the connection.
 *
 * @returns True when the session must wait; it is resumed, and then not held up again.
 */
export function waitsForVersion(session: Session): boolean {
  if (HAVE_WAITED.delete(session)) return false;
  let isKnown = false;
  session.router.askVersion(() => {
    isKnown = true;
    session.resume();
  });
  if (!isKnown) HAVE_WAITED.add(session);
  return !isKnown;
}

/** Whether a server is known to be older than Redis 7. */
export function isBeforeRedis7(router: Router): boolean {
  return isOlder(router.lowestVersion, "7.0.0");
}

/** Sends a request whole to the server of its keys' slot. */
function forward(session: Session, command: Command, parser: RequestParser): void {
  const { slots } = session.router;
  const key = command.singleKey;
  let keyHash = 0;
  if (key > 0) {
    keyHash = keyHashOf(parser.bytes, parser.start(key), parser.end(key));
  } else {
    if (command.blockingOption !== "" && givesBlockingOption(command, parser)) {
      return refuse(session, command.refusal);
    }
    if (command.keyStep > 1 && (parser.count - command.firstKey) % command.keyStep !== 0) {
      return refuse(session, wrongArity(command.name));
    }
    keyHash = commonSlot(command, parser);
    if (keyHash === NO_KEYS) return forwardKeyless(session, command, parser);
    if (keyHash < 0) return refuse(session, CROSS_SLOT);
  }
  const slot = slots[keyHash & (SLOT_COUNT - 1)]!;
  session.asking.forward(
    command,
    slot,
    keyHash,
    parser.bytes,
    parser.requestStart,
    parser.requestEnd,
  );
}

/**
 * No server can find the keys either: any of them says, in its own words, what is wrong with the request.
 * One that is not strict about numbers must not take it for a good one.
 */
function forwardKeyless(session: Session, command: Command, parser: RequestParser): void {
  const bytes = parser.bytes.slice(parser.requestStart, parser.requestEnd);
  const loose = looseCountIndex(command, parser);
  if (loose > 0) {
    const start = parser.start(loose) - parser.requestStart;
    bytes.fill(120, /* x */ start, parser.end(loose) - parser.requestStart);
  }
  session.asking.forward(command, session.router.slots[0]!, 0, bytes, 0, bytes.length);
}

const NO_KEYS = -1;
const MANY_SLOTS = -2;

/** The slot that all keys share; slot 0, as in Codis, for a command without keys. */
function commonSlot(command: Command, args: Arguments): number {
  const count = keyIndexes(command, args, KEYS);
  if (count < 0) return NO_KEYS;
  let slotId = 0;
  for (let i = 0; i < count; i++) {
    const key = KEYS.values[i]!;
    const id = slotIdOf(args.bytes, args.start(key), args.end(key));
    if (i > 0 && id !== slotId) return MANY_SLOTS;
    slotId = id;
  }
  return slotId;
}

/** Whether Redis, too, answers a command while it loads: AUTH and INFO, but not PING. */
function isKnownWhileLoading(command: Command): boolean {
  return command.origin === "codis" || command.flags.includes("loading");
}

function refuse(session: Session, text: string): void {
  session.answer(errorReply(text));
}

/** Why a command is not allowed, as an error text; empty when it is. */
export function refusalOf(router: Router, command: Command, args: Arguments): string {
  if (command.handling === "refuse") {
    if (command.isContainer && args.count > 1) return unknownSubcommand(command.name, args);
    return command.refusal;
  }
  if (command.isDestructive && !router.options.destructiveCommands) {
    return notAllowed(command.name, "destructive_commands is off in the proxy's configuration");
  }
  return command.handling === "local" ? "" : router.refusal;
}

/** Redis's text for a name that is no command, or a container's unknown subcommand. */
export function unknownText(args: Arguments): string {
  if (args.count > 1) {
    const name = new TextDecoder().decode(args.bytes.subarray(args.start(0), args.end(0)));
    const command = findByName(name.toLowerCase());
    if (command?.isContainer) return unknownSubcommand(command.name, args);
  }
  return unknownCommand(args);
}
