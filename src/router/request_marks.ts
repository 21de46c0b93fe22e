/**
 * What is told of a request when it is done: of one in flight, and of its note, which stays when that one is used again.
 *
 * @module
 */

import type { Command } from "../command/command.ts";

/** What was appended to a connection between two writes: the system takes it together. */
export interface SentBatch {
  /** Since when it has been this one: later than its requests where others have taken its place. */
  readonly sinceMs: number;
  /** When the system took its last byte; 0 before. */
  wroteMs: number;
}

/** What keeps a request, of the few that something does. */
export interface Detour {
  /** What it has waited for last before it was sent. */
  waited: "" | "slot" | "key";
  /** When its slot was no longer blocked; 0 unless it has waited for that. */
  openedMs: number;
  /** How long its reply was not read, because a client read slowly. */
  heldBackMs: number;
}

/** See the header. Times are in clock milliseconds. */
export class RequestMarks {
  command: Command | null = null;
  /** When its last byte was read from its client; of a client's request only. */
  readMs = 0;
  /** When it was dispatched. */
  startedMs = 0;
  /** What it was sent in; null before it was sent. */
  sentIn: SentBatch | null = null;
  /** When it was queued at a connection to a server; once it is sent. */
  sentMs = 0;
  /** When the first byte of its reply came; 0 before, once it is sent. */
  firstMs = 0;
  /** When its reply was whole. */
  wholeMs = 0;
  /** When its reply was the next one for its client. */
  turnMs = 0;
  /** How many bytes it has, as its client sent it; of a client's request only. */
  requestBytes = 0;
  /** Database under which it was sent. */
  database = 0;
  /** First byte of the reply; 0 before it came. */
  replyType = 0;
  /** Bytes of the reply seen so far. */
  replyBytes = 0;

  /** Takes the marks of another one. Borrows what that was sent in. */
  takeMarks(other: RequestMarks): void {
    this.command = other.command;
    this.readMs = other.readMs;
    this.startedMs = other.startedMs;
    this.sentIn = other.sentIn;
    this.sentMs = other.sentMs;
    this.firstMs = other.firstMs;
    this.wholeMs = other.wholeMs;
    this.turnMs = other.turnMs;
    this.requestBytes = other.requestBytes;
    this.database = other.database;
    this.replyType = other.replyType;
    this.replyBytes = other.replyBytes;
  }
}
