/**
 * A router's place in its proxy: alone, or one of several workers that share it.
 *
 * @module
 */

import type { BudgetPartners } from "./client/byte_budget.ts";
import type { ClientFilter } from "./local/client_filter.ts";
import type { RouterFigures } from "./stats_snapshot.ts";

/** What a router asks of the others of the same proxy; what does not answer in time is left out. */
export interface Peers {
  /** The figures of all routers together, the asking one included; at most a second old. */
  figures(): Promise<RouterFigures>;
  /** CLIENT LIST's lines of the others' clients. */
  listClients(filter: ClientFilter): Promise<string>;
  /** Closes clients of the others; tells how many. */
  killClients(filter: ClientFilter): Promise<number>;
}

/** What a router shares with the others of the same proxy. */
export interface RouterSeat extends BudgetPartners {
  /** An id that no client of the proxy has had. */
  nextSessionId(): number;
  /** This router has so many clients now. */
  hasSessions(count: number): void;
  /** Clients that the other routers have now. */
  sessionsElsewhere(): number;
  /** The others hold more than their shares, and must look at it. */
  pressOthers(): void;
  /** The other routers; null when there are none. */
  readonly peers: Peers | null;
}

/** The seat of a router that is the whole proxy. */
export function aloneSeat(): RouterSeat {
  let lastId = 0;
  return {
    nextSessionId: () => ++lastId,
    hasSessions: () => {},
    sessionsElsewhere: () => 0,
    shares: 1,
    holds: () => {},
    heldElsewhere: () => 0,
    pressOthers: () => {},
    peers: null,
  };
}
