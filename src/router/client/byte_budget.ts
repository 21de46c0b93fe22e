/**
 * The bytes that all clients together may hold: requests in flight, replies not yet sent, partial requests.
 *
 *     half of it ─► tight: a client that holds its fair share asks for nothing more
 *     all of it ──► spent: a client that holds more than its fair share is not read; only one partial request
 *                   grows at a time, so that clients cannot wait for each other
 *     above it ───► over, if more than half of it are replies: the client that holds most of them is closed
 *
 * Charging never waits; what waits is reading and asking more. Several routers of a proxy have an even
 * share each. Only when all shares together are used up is a client closed, and then where more than a
 * share is held: what one router does not use, replies at another may.
 *
 * @module
 */

/** What a client may hold, in bytes, and still be read while the budget is spent. */
export const FAIR_SHARE_BYTES = 64 * 1024;
/** The least that a client may hold at such times, however many there are, in bytes. */
const FAIR_SHARE_BYTES_MIN = 1024;
/** How much more or less is charged before it is reported to the other routers, in bytes. */
const REPORTED_BYTES = 64 * 1024;

/** What waits for the budget, a semaphore or a connection. */
export interface BudgetWaiter {
  /** What it waits for may be free now: it tries again, not before the end of the turn. */
  resume(): void;
}

/** Other routers that have shares of the same budget. */
export interface BudgetPartners {
  /** How many shares there are, with this router's. */
  readonly shares: number;
  /** Reports how many bytes this router holds. */
  holds(bytes: number): void;
  /** What they hold together, in bytes, as far as they have reported it. */
  heldElsewhere(): number;
}

/** A router's share of the process's byte budget. */
export class ByteBudget {
  /** Bytes charged now. */
  usedBytes = 0;
  /** Those of them that are replies. */
  replyBytes = 0;
  /** What a client may hold while there is little left, in bytes. */
  fairShareBytes = FAIR_SHARE_BYTES;
  /** What this router may hold. */
  limitBytes: number;
  /** Called, perhaps many times, when more is held than the whole budget allows. */
  onOver: () => void = () => {};

  readonly #partners: BudgetPartners;
  /** Bytes of large replies that were asked for and are not here. */
  #expectedBytes = 0;
  /** What was reported last, and from where on it is reported again. */
  #reportedBytes = 0;
  #reportFromBytes = REPORTED_BYTES;
  readonly #waiting = new Set<BudgetWaiter>();
  #growing: BudgetWaiter | null = null;

  constructor(limitBytes: number, partners: BudgetPartners) {
    this.limitBytes = limitBytes;
    this.#partners = partners;
  }

  /** Whether so little is left that a client with its fair share must ask for nothing more. */
  get isTight(): boolean {
    return (this.usedBytes + this.#expectedBytes) * 2 > this.limitBytes;
  }

  /** Whether more is charged than the budget allows. */
  get isSpent(): boolean {
    return this.usedBytes > this.limitBytes;
  }

  /** Whether more is held than all routers together may. */
  get isOver(): boolean {
    const { shares } = this.#partners;
    return this.usedBytes + this.#partners.heldElsewhere() > this.limitBytes * shares;
  }

  /** Whether this router holds more than its share, and that because of replies. */
  get isAboveShare(): boolean {
    return this.isSpent && this.replyBytes * 2 > this.limitBytes;
  }

  /** This router may hold so many bytes from now on. */
  limitTo(bytes: number): void {
    this.limitBytes = bytes;
    this.#resumeAll();
  }

  /** So many clients share it. */
  shareAmong(sessions: number): void {
    const share = Math.floor(this.limitBytes / (2 * Math.max(1, sessions)));
    this.fairShareBytes = Math.max(FAIR_SHARE_BYTES_MIN, Math.min(FAIR_SHARE_BYTES, share));
  }

  /** Charges bytes; may overdraw. */
  charge(bytes: number): void {
    this.usedBytes += bytes;
    if (this.usedBytes >= this.#reportFromBytes) this.#report();
  }

  /** Gives bytes back, and resumes what waits once an eighth of the budget is free. */
  release(bytes: number): void {
    this.usedBytes -= bytes;
    if (this.usedBytes < this.#reportedBytes - REPORTED_BYTES) this.#report();
    if (this.#waiting.size > 0 && this.usedBytes <= this.limitBytes * 0.875) this.#resumeAll();
  }

  /** Charges bytes of a reply, or gives them back when negative. */
  chargeReply(bytes: number): void {
    this.replyBytes += bytes;
    if (bytes > 0) this.charge(bytes);
    else this.release(-bytes);
  }

  /** Large replies of so many bytes were asked for; negative when they are here or will not come. */
  expect(bytes: number): void {
    this.#expectedBytes += bytes;
  }

  #report(): void {
    this.#reportedBytes = this.usedBytes;
    this.#reportFromBytes = this.usedBytes + REPORTED_BYTES;
    this.#partners.holds(this.usedBytes);
    if (this.isOver) this.onOver();
  }

  /** Whether a partial request may grow now; if not, `waiter` is resumed when it may. */
  mayGrow(waiter: BudgetWaiter): boolean {
    if (!this.isSpent || this.#growing === waiter) return true;
    if (this.#growing === null) {
      this.#growing = waiter;
      return true;
    }
    this.#waiting.add(waiter);
    return false;
  }

  /** Resumes `waiter` once, when bytes are free again. */
  wait(waiter: BudgetWaiter): void {
    this.#waiting.add(waiter);
  }

  /** The waiter's partial request is complete, or the waiter is gone. */
  leave(waiter: BudgetWaiter): void {
    this.#waiting.delete(waiter);
    if (this.#growing !== waiter) return;
    this.#growing = null;
    this.#resumeAll();
  }

  #resumeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter.resume();
  }
}
