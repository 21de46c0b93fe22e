/**
 * Whose turn it is to be read from, where many clients are busy.
 *
 *     busy turn:  who was served ──► waits             not read from until a turn was not busy:
 *     calm turn:  all who wait   ──► are read from     until all others had theirs
 *
 * Deno lets 128 calls end in a turn of the event loop. Those beyond wait, and what gets ready meanwhile goes
 * before them: of thousands of clients that each send the next request at once, some hundreds would go
 * round and round, and the others, and who waits to be accepted, would get nothing for seconds.
 *
 * @module
 */

import { atTurnEnd, type TurnWork } from "./turn.ts";

/** Reads, writes and accepts that make a turn a busy one. Far below Deno's limit: nothing is to wait there. */
const CALLS_PER_TURN = 40;
/** Clients of a thread from which on they are read from in rounds. */
const CLIENTS_MIN = 100;

/** For so many that wait, others have one busy turn: what no client has asked for may keep all turns busy. */
const MEMBERS_PER_TURN = 10;
/** Accepts that make a turn one in which many come. */
const ACCEPTS_PER_TURN = 20;
/** So many looks without an accept, and all who came together are in. */
const QUIET_LOOKS = 2;

/** A client that wants to be read from. */
export interface RoundMember {
  /** Its turn has come. */
  readOn(): void;
}

class ReadRounds implements TurnWork {
  isQueuedForTurnEnd = false;
  /** Calls that have ended in this turn; while members wait, since they were last looked at. */
  #calls = 0;
  #isCounting = false;
  #isBusy = false;
  /** Busy turns since somebody waits. */
  #busyTurns = 0;
  #waiting: RoundMember[] = [];
  #spare: RoundMember[] = [];
  readonly #look = () => this.#lookAgain();

  /** Accepts of this turn, while counted. */
  #accepts = 0;
  /** Whether so many come that who was served waits until they are in. */
  #isAccepting = false;
  /** Looks since somebody came. */
  #quietLooks = 0;

  /** A connection was accepted. */
  accepted(): void {
    this.count();
    this.#quietLooks = 0;
    if (this.#isAccepting) return;
    if (++this.#accepts === 1) setTimeout(this.#forget, 0);
    if (this.#accepts < ACCEPTS_PER_TURN) return;
    this.#isAccepting = true;
    this.#beginBusy();
  }

  readonly #forget = () => this.#accepts = 0;

  #beginBusy(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    setTimeout(this.#look, 0);
  }

  /**
   * A client was told of a piece: it hears of the next one, at once or after those who are just being accepted.
   * The system itself lets all that are there have their turn.
   */
  afterPiece(member: RoundMember, isFirst: boolean): void {
    if (isFirst) this.#quietLooks = 0;
    if (this.#isAccepting) this.#waiting.push(member);
    else member.readOn();
  }

  /** A read or a write has ended. */
  count(): void {
    if (!this.#isCounting) return;
    this.#calls++;
    if (!this.#isBusy) atTurnEnd(this);
  }

  /**
   * A client was read from: it is read from again at once, or, when the turn is a busy one, later.
   *
   * @param clients How many there are: few are not kept waiting, and cost nothing here.
   */
  next(member: RoundMember, clients: number): void {
    this.#isCounting = this.#isBusy || clients >= CLIENTS_MIN;
    this.count();
    if (this.#calls >= CALLS_PER_TURN) this.#beginBusy();
    if (this.#isBusy) this.#waiting.push(member);
    else member.readOn();
  }

  runAtTurnEnd(): void {
    if (!this.#isBusy) this.#calls = 0;
  }

  #lookAgain(): void {
    const isBusyStill = this.#calls >= CALLS_PER_TURN ||
      (this.#isAccepting && ++this.#quietLooks <= QUIET_LOOKS);
    this.#calls = 0;
    if (isBusyStill && ++this.#busyTurns * MEMBERS_PER_TURN < this.#waiting.length) {
      setTimeout(this.#look, 0);
      return;
    }
    this.#busyTurns = 0;
    this.#isBusy = this.#isAccepting = false;
    const members = this.#waiting;
    this.#waiting = this.#spare;
    for (const member of members) member.readOn();
    members.length = 0;
    this.#spare = members;
  }
}

/** Those of this thread. */
export const readRounds = new ReadRounds();
