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
  readonly #carriers = new Set<Carrier>();

  /** A write went over `carrier`, not the same as the one before. */
  add(carrier: Carrier, version: number): void {
    if (this.newest === null) {
      this.#carriers.clear();
      this.version = version;
    }
    this.newest = carrier;
    this.#carriers.add(carrier);
  }

  /** WAIT asks for what was written; until the next write it would ask the same again. */
  waited(): void {
    this.newest = null;
  }

  /** Whether a write went to this server. */
  hasServer(server: object): boolean {
    for (const carrier of this.#carriers) if (carrier.server === server) return true;
    return false;
  }
}
