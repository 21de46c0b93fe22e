/**
 * The lowest version of Redis among the servers in use: what clients are told, and what decides which
 * requests all servers understand.
 *
 * @module
 */

import { isOlder } from "../../base/version.ts";
import { TABLE_VERSION } from "../../command/redis_version.ts";
import type { Master } from "./server.ts";

/** The versions of all servers of one router. */
export class LowestVersion {
  readonly #masters: () => readonly Master[];

  /** @param masters The servers in use. */
  constructor(masters: () => readonly Master[]) {
    this.#masters = masters;
  }

  /**
   * Asks those servers that have not been asked yet.
   *
   * @param answer Called once; with the version of our own commands when no server has answered.
   */
  ask(answer: (version: string) => void): void {
    const unknown = this.#masters().filter(({ server }) => !server.version.isSettled);
    let left = unknown.length;
    if (left === 0) return answer(this.known);
    for (const { server } of unknown) {
      server.version.ask(() => {
        if (--left === 0) answer(this.known);
      });
    }
  }

  /** What has been found out so far. */
  get known(): string {
    const known = this.#masters().map(({ server }) => server.version.text)
      .filter((text) => text !== "");
    return known.length === 0 ? TABLE_VERSION : known.reduce((a, b) => isOlder(b, a) ? b : a);
  }

  /** Whether a server is known to be older than Redis 7. */
  get isBefore7(): boolean {
    return isOlder(this.known, "7.0.0");
  }
}
