/**
 * Who a client is: AUTH's passwords, and how fast wrong ones are told so.
 *
 *      attempt ─┬─ right ─► answered now, whoever else is wrong
 *               └─ wrong ─► counted for its address ─► the first few are answered now, later ones after a wait
 *
 * The first wrong ones of an address cost nothing, so that a typing mistake does not; each further one doubles
 * the wait of the next. A right one never waits: many clients share an address (one host, one NAT), and one of
 * them with an old password must not hold up the others. So whoever hangs up before the answer comes guesses
 * as fast as he can connect. That is seen in the log and the count; only a long password holds him off.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { errorReply, utf8 } from "../../resp/encoder.ts";
import { SYNTAX_ERROR, WRONG_PASSWORD } from "../errors.ts";
import { answerWhen, type LocalCall, textOf } from "./local_call.ts";
import type { Session } from "../client/session.ts";

/** Wrong ones of an address that slow nothing down. */
const FREE_ATTEMPTS = 3;
/** The wait after the first one that does, and the longest one, in milliseconds. */
const WAIT_MS_FIRST = 50;
const WAIT_MS_MAX = 1_000;
/** How long after its last wrong one an address is forgotten, in milliseconds. */
const MEMORY_MS = 60_000;
/** Addresses that are remembered; past it, the one that was wrong longest ago is forgotten. */
const ADDRESSES_MAX = 10_000;
/** Time between two log lines about one address, in milliseconds. */
const LOG_MS = 10_000;

/** The wrong ones of one address. */
interface Failures {
  count: number;
  lastMs: number;
  /** When the log was told last, and how many came since. */
  toldMs: number;
  untold: number;
}

/** Slows down the answers to who guesses; see the header. */
export class AuthThrottle {
  readonly #addresses = new Map<string, Failures>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  /** Calls `answer` when a wrong one of this address may be answered: now, or after its wait. */
  whenAllowed(address: string, answer: () => void): void {
    const waitMs = this.#waitMs(address);
    if (waitMs === 0) return answer();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      clock.tick();
      answer();
    }, waitMs);
    this.#timers.add(timer);
  }

  #waitMs(address: string): number {
    const count = this.#addresses.get(address)?.count ?? 0;
    if (count <= FREE_ATTEMPTS) return 0;
    return Math.min(WAIT_MS_MAX, WAIT_MS_FIRST * 2 ** (count - FREE_ATTEMPTS - 1));
  }

  /**
   * Notes a wrong one.
   *
   * @returns How many the log is to be told of now; mostly 0.
   */
  failed(address: string): number {
    const now = clock.nowMs;
    let failures = this.#addresses.get(address);
    if (failures === undefined || now - failures.lastMs > MEMORY_MS) {
      failures = { count: 0, lastMs: now, toldMs: -Infinity, untold: 0 };
    }
    this.#addresses.delete(address); // to the end: the first one is the oldest
    this.#addresses.set(address, failures);
    if (this.#addresses.size > ADDRESSES_MAX) {
      this.#addresses.delete(this.#addresses.keys().next().value!);
    }
    failures.count++;
    failures.lastMs = now;
    failures.untold++;
    if (now - failures.toldMs < LOG_MS) return 0;
    const told = failures.untold;
    failures.toldMs = now;
    failures.untold = 0;
    return told;
  }

  /** Answers nobody any more. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** A session may do what needs AUTH from now on, or no longer. */
export function setAuthenticated(session: Session, isAuthenticated: boolean): void {
  session.isAuthenticated = session.parser.isAuthenticated = isAuthenticated;
}

/** `AUTH password` in Codis 2.0's words, `AUTH default password` in Redis 6's. */
export function auth(call: LocalCall): Uint8Array | null {
  const { session, args } = call;
  if (args.count > 3) return errorReply(SYNTAX_ERROR);
  const isShort = args.count === 2;
  if (isShort && session.router.options.password === "") {
    return errorReply("ERR Client sent AUTH, but no password is set");
  }
  const [user, password] = isShort
    ? ["default", textOf(args, 1)]
    : [textOf(args, 1), textOf(args, 2)];
  const error = errorReply(isShort ? "ERR invalid password" : WRONG_PASSWORD);
  return answerWhen(call, (answer) => {
    login(session, user!, password!, (isRight) => answer(isRight ? OK : error));
  });
}

const OK = utf8("+OK\r\n");

/**
 * Redis 6's login; without a password the user `default` may use any, as in Redis. A wrong one leaves the
 * session as it was.
 *
 * @param done Called once: now, or later when it is one of many wrong ones of the client's address.
 */
export function login(
  session: Session,
  user: string,
  password: string,
  done: (isRight: boolean) => void,
): void {
  const { options, authThrottle, totals, events } = session.router;
  const isAny = options.password === "";
  const isRight = user === "default" && (isAny || isPassword(password, options.password));
  if (isRight) {
    setAuthenticated(session, true);
    return done(true);
  }
  totals.wrongAuths++;
  const address = session.remote.replace(/:\d+$/, "");
  const untold = authThrottle.failed(address);
  if (untold > 0) events.authsRefused(session, address, untold);
  authThrottle.whenAllowed(address, () => done(false));
}

/** Compares without telling by its time how much of the password was right. */
function isPassword(given: string, password: string): boolean {
  const a = utf8(given);
  const b = utf8(password);
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i % Math.max(1, b.length)]!;
  return difference === 0;
}
