/**
 * Which connections a client's writes took since its last WAIT: their servers are the ones that WAIT asks.
 *
 * @module
 */

import type { Carrier } from "../backends/carrier.ts";

/** The writes of one client; a client that has written nothing has none. */
export class WriteTrail {
  /** The connection of the newest write; null when WAIT was asked since. */
  newest: Carrier | null = null;
  /** Version of the slot table at the first write. */
  version = 0;
  /** With the shared connections that their servers had lost until then. */
  readonly #carriers = new Map<Carrier, number>();

  /** A write went over `carrier`, not the same as the one before. */
  add(carrier: Carrier, version: number): void {
    if (this.newest === null) {
      this.#carriers.clear();
      this.version = version;
    }
    this.newest = carrier;
    // Only the first write counts: one that failed was answered so, but not those before it.
    if (!this.#carriers.has(carrier)) this.#carriers.set(carrier, carrier.server.sharedLosses);
  }

  /** WAIT asks for what was written; until the next write it would ask the same again. */
  waited(): void {
    this.newest = null;
  }

  /** Whether a write went to this server. */
  hasServer(server: object): boolean {
    for (const carrier of this.#carriers.keys()) if (carrier.server === server) return true;
    return false;
  }

  /**
   * The address of a server to which a connection was lost after a write; `""`: of none. It may have died with
   * the write, and come back, or another one has taken its place.
   */
  lostServer(): string {
    for (const [{ server }, losses] of this.#carriers) {
      if (server.sharedLosses !== losses) return server.address;
    }
    return "";
  }
}
