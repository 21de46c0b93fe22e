/**
 * What the data plane reports, for the log.
 *
 * @module
 */

import type { ListedClient } from "./client/client_info.ts";
import type { WriteLines } from "./reports/access_lines.ts";
import type { SubscriberEvents } from "./pubsub/subscribers.ts";
import type { SlotEvents } from "./slots/router_slots.ts";

/** The events of one router. */
export interface RouterEvents extends SlotEvents, SubscriberEvents {
  /** Lines of the access log; resolves with whether they were written. Needed where there is one. */
  writeAccessLines?: WriteLines | undefined;
  sessionOpened(session: ListedClient): void;
  sessionClosed(session: ListedClient): void;
  /** A session held more reply bytes than session_max_buffer and is being closed. */
  sessionOverflowed(session: ListedClient): void;
  /** A client of MONITOR has not read so many bytes of its lines, and is being closed. */
  monitorDropped(session: ListedClient, unreadBytes: number): void;
  /** A session held most when all held more than proxy_max_buffer, and is being closed. */
  sessionEvicted(session: ListedClient): void;
  /** What a session sends is not the Redis protocol, as its last reply says; it is being closed. */
  sessionMisunderstood(session: ListedClient, error: string): void;
  sessionTimedOut(session: ListedClient, reason: string): void;
  /** Two servers have different values of a parameter that a client asked for; told once for each. */
  serversDiffer(parameter: string, one: string, two: string): void;
  /** Clients of other machines were refused since the last report, the last one from this address. */
  clientsProtectedFrom(address: string, count: number): void;
  /**
   * Wrong passwords came from an address since the last report of it; this session gave the last.
   *
   * @param isSlowed Whether the address is answered late now.
   */
  authsRefused(session: ListedClient, address: string, count: number, isSlowed: boolean): void;
}
