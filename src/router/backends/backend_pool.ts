/**
 * The Redis servers in use, by address, counted by use: a server is there as long as a slot names it as
 * owner or migration source.
 *
 * @module
 */

import type { RouterOptions } from "../options.ts";
import { type BackendEvents, type Master, Server } from "./server.ts";

/** All servers in use, by address. */
export class BackendPool {
  readonly #servers = new Map<string, Server>();
  readonly #options: RouterOptions;
  readonly #events: BackendEvents;

  constructor(options: RouterOptions, events: BackendEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Counts one more use of the server at `address`, `host:port`. */
  acquire(address: string): Server {
    let server = this.#servers.get(address);
    if (server === undefined) {
      server = new Server(address, this.#options, this.#events);
      this.#servers.set(address, server);
    }
    server.uses++;
    return server;
  }

  /** Counts one use less; with the last one the server's connections close. */
  release(server: Server): void {
    if (--server.uses > 0) return;
    this.#servers.delete(server.address);
    server.close();
  }

  /**
   * Counts one more use of each of these servers: one that has just lost its last slot still answers.
   *
   * @returns Ends that.
   */
  keep(masters: readonly Master[]): () => void {
    const kept = masters.map(({ server }) => this.acquire(server.address));
    return () => {
      for (const server of kept) this.release(server);
    };
  }

  /** The server at `address`, if it is in use. */
  find(address: string): Server | undefined {
    return this.#servers.get(address);
  }

  /** The servers in use. */
  servers(): IterableIterator<Server> {
    return this.#servers.values();
  }

  /**
   * Checks deadlines.
   *
   * @returns Whether no connection waits for anything.
   */
  tick(): boolean {
    let isQuiet = true;
    for (const server of this.#servers.values()) {
      server.circuit.tick();
      isQuiet &&= !server.circuit.isOpen;
      for (const backend of server.backends()) {
        backend.tick();
        isQuiet &&= backend.isQuiet;
      }
    }
    return isQuiet;
  }

  /** Sends a PING on every connection that has nothing in flight. */
  keepAlive(): void {
    for (const server of this.#servers.values()) {
      server.closeUnused();
      for (const backend of server.backends()) backend.keepAlive();
    }
  }

  /** Closes everything. */
  close(): void {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
  }
}
