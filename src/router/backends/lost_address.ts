/**
 * Notices connections that lead nowhere any more: no machine has the address, or the name of the server
 * leads to another one. Nobody tells us: what we send is just never answered.
 *
 *      a reply is late ─► look the name up ─┬─ same address ─► does it take connections? ─ yes ─► wait on
 *                                           │                        └─ no ──┐
 *                                           └─ others ─► do they? ─── yes ───┴─► break off, dial again
 *
 * A server that is slow, or stopped, still takes connections: its system does that. So it is not mistaken for
 * one that is gone, and only the deadline for replies ends the patience with it.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { clock } from "../../base/clock.ts";
import { causeOf, dial } from "../../io/dial.ts";
import { lookUp } from "../../io/lookup.ts";

/** The part of backend_dial_timeout after which a reply is late. */
const LATE_PART = 1 / 4;
/** The part of it that the address has to take a connection. */
const ANSWER_PART = 1 / 2;

/** A connection that may lead nowhere. */
interface DoubtfulConnection {
  /** The address that it leads to; empty while it leads nowhere. */
  readonly remote: string;
  /** Whether nothing has come over it since; clock milliseconds. */
  isSilentSince(ms: number): boolean;
  breakOff(cause: string): void;
}

/** A server with such connections. */
export interface DoubtfulServer {
  readonly hostname: string;
  readonly port: number;
  readonly options: { readonly backendDialMs: number };
  backends(): Iterable<DoubtfulConnection>;
}

/** Watches the addresses of one server; see the header. */
export class LostAddress {
  readonly #server: DoubtfulServer;
  #isAsking = false;
  #askedMs = -Infinity;

  constructor(server: DoubtfulServer) {
    this.#server = server;
  }

  /** From when on a reply is late, in milliseconds. */
  get lateMs(): number {
    return this.#server.options.backendDialMs * LATE_PART;
  }

  /** A reply is late that should come from this address. Asked again and again, it looks at times. */
  suspect(remote: string): void {
    const { backendDialMs } = this.#server.options;
    if (this.#isAsking || clock.nowMs - this.#askedMs < backendDialMs) return;
    this.#isAsking = true;
    const sinceMs = this.#askedMs = clock.nowMs;
    this.#ask(remote, backendDialMs * ANSWER_PART).then((cause) => {
      this.#isAsking = false;
      if (cause === "") return;
      clock.tick();
      for (const backend of [...this.#server.backends()]) {
        if (backend.remote === remote && backend.isSilentSince(sinceMs)) backend.breakOff(cause);
      }
    });
  }

  /** Why nothing will come from an address any more; empty where it may. */
  async #ask(remote: string, limitMs: number): Promise<string> {
    const { hostname, port } = this.#server;
    const name = await addressesIn(hostname, limitMs);
    if (name.length > 0 && !name.includes(remote)) {
      const found = await tryDial(hostname, port, limitMs);
      if (found === "") {
        return `${hostname} is not at ${remote} any more, but at ${name.join(", ")}`;
      }
    }
    const first = tryDial(remote, port, limitMs);
    if (await Promise.race([first, delay(limitMs / 2)]) === "") return "";
    // A packet of the first may be lost.
    const causes = await Promise.all([first, tryDial(remote, port, limitMs / 2)]);
    return causes.includes("") ? "" : `${remote} takes no connections: ${causes[0]}`;
  }
}

async function addressesIn(hostname: string, limitMs: number): Promise<readonly string[]> {
  const late = delay(limitMs).then(() => []);
  return await Promise.race([lookUp(hostname).catch(() => []), late]);
}

/** Why no connection could be made; empty when one could. */
async function tryDial(hostname: string, port: number, limitMs: number): Promise<string> {
  try {
    (await dial(hostname, port, limitMs)).close();
    return "";
  } catch (error) {
    return causeOf(error);
  }
}
