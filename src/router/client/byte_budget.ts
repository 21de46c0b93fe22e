/**
 * The bytes that all sessions together may hold: requests in flight, replies not yet sent, requests
 * half received.
 *
 *     half of it ─► tight: who holds its fair share asks for nothing more
 *     all of it ──► spent: who holds more than its fair share is not read; an unfinished request grows
 *                   only in one session at a time, the elder, so that those who wait cannot wait for each
 *                   other
 *     above it ───► over, if more than half of it are replies: the session that holds most of them is
 *                   closed
 *
 * Charging never waits; what waits is reading and asking more. Several routers of a proxy have an even
 * share each. Only when all shares together are used up is anybody closed, and then where more than a
 * share is held: what one router does not use, replies at another may.
 *
 * @module
 */

/** What a session may hold, in bytes, and still be read while the budget is spent. */
export const FAIR_SHARE_BYTES = 64 * 1024;
/** The least that a session may hold at such times however many there are, in bytes. */
const FAIR_SHARE_BYTES_MIN = 1024;
/** How much more or less is charged before the other routers are told, in bytes. */
const TOLD_BYTES = 64 * 1024;

/** Someone who waits for the budget. */
export interface BudgetWaiter {
  /** The budget has room again, or it is the waiter's turn. */
  resume(): void;
}

/** Other routers that have shares of the same budget. */
export interface BudgetPartners {
  /** How many shares there are, with this router's. */
  readonly shares: number;
  /** Tells them how many bytes this router holds. */
  holds(bytes: number): void;
  /** What they hold together, in bytes, as far as they have told it. */
  heldElsewhere(): number;
}

/** A router's share of the process's byte budget. */
export class ByteBudget {
  /** Bytes charged now. */
  usedBytes = 0;
  /** Those of them that are replies. */
  replyBytes = 0;
  /** What a session may hold while there is little left, in bytes. */
  fairShareBytes = FAIR_SHARE_BYTES;
  readonly limitBytes: number;
  /** Called, perhaps many times, when more is held than the whole budget allows. */
  onOver: () => void = () => {};

  readonly #partners: BudgetPartners;
  /** Bytes of large replies that were asked for and are not here. */
  #expectedBytes = 0;
  /** What the others were told last, and from where on they are told anew. */
  #toldBytes = 0;
  #tellFromBytes = TOLD_BYTES;
  readonly #waiting = new Set<BudgetWaiter>();
  #elder: BudgetWaiter | null = null;

  constructor(limitBytes: number, partners: BudgetPartners) {
    this.limitBytes = limitBytes;
    this.#partners = partners;
  }

  /** Whether so little is left that who holds its fair share is to ask for nothing more. */
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

  /** So many sessions share it. */
  shareAmong(sessions: number): void {
    const share = Math.floor(this.limitBytes / (2 * Math.max(1, sessions)));
    this.fairShareBytes = Math.max(FAIR_SHARE_BYTES_MIN, Math.min(FAIR_SHARE_BYTES, share));
  }

  /** Charges bytes; may overdraw. */
  charge(bytes: number): void {
    this.usedBytes += bytes;
    if (this.usedBytes >= this.#tellFromBytes) this.#tell();
  }

  /** Gives bytes back and wakes those who wait once an eighth of the budget is free. */
  release(bytes: number): void {
    this.usedBytes -= bytes;
    if (this.usedBytes < this.#toldBytes - TOLD_BYTES) this.#tell();
    if (this.#waiting.size > 0 && this.usedBytes <= this.limitBytes * 0.875) this.#wakeAll();
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

  #tell(): void {
    this.#toldBytes = this.usedBytes;
    this.#tellFromBytes = this.usedBytes + TOLD_BYTES;
    this.#partners.holds(this.usedBytes);
    if (this.isOver) this.onOver();
  }

  /** Whether an unfinished request may grow now; if not, `waiter` is told when it may. */
  mayGrow(waiter: BudgetWaiter): boolean {
    if (!this.isSpent || this.#elder === waiter) return true;
    if (this.#elder === null) {
      this.#elder = waiter;
      return true;
    }
    this.#waiting.add(waiter);
    return false;
  }

  /** Calls `waiter` once when there is room again. */
  wait(waiter: BudgetWaiter): void {
    this.#waiting.add(waiter);
  }

  /** The waiter's unfinished request is through, or the waiter is gone. */
  leave(waiter: BudgetWaiter): void {
    this.#waiting.delete(waiter);
    if (this.#elder !== waiter) return;
    this.#elder = null;
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter.resume();
  }
}
