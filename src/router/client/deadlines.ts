/**
 * The deadlines of a session: idle, no AUTH, a request that stays partial, replies that are not read.
 *
 * @module
 */

import type { RouterOptions } from "../options.ts";

/** Upload speed that keeps a partial request alive past its deadline, bytes per millisecond. */
const PARTIAL_BYTES_PER_MS = 16;

/** What a session's deadlines depend on; times in clock milliseconds. */
export interface SessionTimes {
  readonly nowMs: number;
  readonly createdMs: number;
  readonly lastReadMs: number;
  readonly lastWroteMs: number;
  /** Since when a request is half received; 0 when none is, or when we do not read. */
  readonly partialSinceMs: number;
  /** How much of it has come. */
  readonly partialBytes: number;
  readonly hasUnsent: boolean;
  readonly hasRequests: boolean;
  readonly isAuthenticated: boolean;
  /** Whether it waits for messages: then it may be idle as long as it likes, as with Redis. */
  readonly isSubscribed: boolean;
}

/** Which deadline of a session has passed, to be read after "closed: "; empty when none has. */
export function overdueReason(options: RouterOptions, session: SessionTimes): string {
  const { nowMs } = session;
  const isOver = (sinceMs: number, limitMs: number) => limitMs > 0 && nowMs - sinceMs > limitMs;
  if (session.hasUnsent) {
    const sinceMs = Math.max(session.lastWroteMs, session.lastReadMs);
    return isOver(sinceMs, options.sessionWriteMs) ? "write timeout" : "";
  }
  if (!session.isAuthenticated) {
    return isOver(session.createdMs, options.sessionAuthMs) ? "authentication timeout" : "";
  }
  if (session.hasRequests) return "";
  if (session.partialSinceMs > 0) {
    // A large request may take its time as long as it comes fast enough.
    const sinceMs = session.partialSinceMs + session.partialBytes / PARTIAL_BYTES_PER_MS;
    return isOver(sinceMs, options.sessionPartialMs) ? "request timeout" : "";
  }
  if (session.isSubscribed) return "";
  return isOver(session.lastReadMs, options.sessionIdleMs) ? "idle timeout" : "";
}
