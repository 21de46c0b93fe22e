/**
 * The end of an event-loop turn: what must run once after every read of this turn was handled.
 *
 * All reads that complete in one turn run their handlers in the same microtask round, so one
 * microtask queued by the first of them runs after the last: that is where batches are flushed and
 * paused sessions are checked again. One flush per connection per turn is what decides speed here,
 * since the send system call is the largest single cost of a request. Only who is alone does not wait for
 * the end, as with Nagle's algorithm: the reply of a client that is the only one, or a request to a server that has no
 * other to answer, goes out at once.
 *
 * @module
 */

/** Something that wants to run once at the end of the current turn. */
export interface TurnWork {
  /** Set while the work is queued; owned by {@linkcode atTurnEnd}. */
  isQueuedForTurnEnd: boolean;
  /** Whether it may run before the end of the turn, as long as nothing else waits for that. @default false */
  readonly isEager?: boolean;
  /** Runs at the end of the turn; may queue more work, which runs in the same round. */
  runAtTurnEnd(): void;
}

/** Work for the end of this turn; kept at its length, since emptying an array frees its memory. */
let queue: (TurnWork | null)[] = [];
let queued = 0;
let spare: (TurnWork | null)[] = [];
let isScheduled = false;

/** Queues `work` for the end of this turn; a second call before it ran changes nothing. */
export function atTurnEnd(work: TurnWork): void {
  if (work.isQueuedForTurnEnd) return;
  work.isQueuedForTurnEnd = true;
  if (queued < queue.length) queue[queued] = work;
  else queue.push(work);
  queued++;
  if (!isScheduled) {
    isScheduled = true;
    queueMicrotask(endTurn);
  }
}

/** All of a piece of bytes was handled: work that is alone runs at once, if it may. */
export function endPiece(): void {
  if (queued !== 1) return;
  const work = queue[0]!;
  if (work.isEager !== true) return;
  queue[0] = null;
  queued = 0;
  work.isQueuedForTurnEnd = false;
  work.runAtTurnEnd();
}

function endTurn(): void {
  // Work queued by work (a resumed session fills a batch) still belongs to this turn.
  while (queued > 0) {
    const round = queue;
    const count = queued;
    queue = spare;
    queued = 0;
    for (let i = 0; i < count; i++) {
      const work = round[i]!;
      round[i] = null;
      work.isQueuedForTurnEnd = false;
      work.runAtTurnEnd();
    }
    spare = round;
  }
  isScheduled = false;
}
