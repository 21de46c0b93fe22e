/**
 * Protected mode, as Redis's: while no password is needed, only clients on this machine are served.
 *
 *      accepted ─┬─ from this machine, or a password is set ─► a session
 *                └─ from elsewhere ─► -DENIED, closed, counted; logged every ten seconds at most
 *
 * @module
 */

import type { Users } from "../../acl/users.ts";
import { isLoopback } from "../../base/address.ts";
import { clock } from "../../base/clock.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { RouterEvents } from "../events.ts";
import type { RouterOptions } from "../options.ts";

/** Time between two log lines, in milliseconds. */
const LOG_MS = 10_000;

/** Redis's text, with our ways to open the proxy in place of Redis's. */
export const PROTECTED = errorReply(
  "DENIED Redis is running in protected mode because protected mode is enabled and no password is " +
    "set for the default user. In this mode connections are only accepted from the loopback " +
    "interface. If you want to connect from external computers to Redis you may adopt one of the " +
    "following solutions: " +
    "1) Set a password: 'password' in the configuration file of codis-proxy. " +
    "2) Start codis-proxy with the address that it may be reached at, such as " +
    "'--addr=0.0.0.0:9000', however MAKE SURE Redis is not publicly accessible from internet if you " +
    "do so. " +
    "3) Disable the protected mode: 'protected_mode = no' in the configuration file; the same " +
    "warning applies. Then restart codis-proxy. " +
    "NOTE: You only need to do one of the above things in order for the server to start accepting " +
    "connections from the outside.",
);

/** See the header. */
export class ProtectedMode {
  readonly #options: RouterOptions;
  readonly #events: RouterEvents;
  readonly #users: Users;
  #reportedMs = -Infinity;
  #unreported = 0;

  constructor(options: RouterOptions, users: Users, events: RouterEvents) {
    this.#options = options;
    this.#users = users;
    this.#events = events;
  }

  /** Whether a client that connects from there is refused; counts and reports it then. */
  isRefused(remote: Deno.Addr): boolean {
    if (!this.#options.isProtected || !this.#users.default.isNoPass) return false;
    // What has no address came over a socket of this machine's.
    if (!("hostname" in remote) || isLoopback(remote.hostname)) return false;
    this.#unreported++;
    if (clock.nowMs - this.#reportedMs < LOG_MS) return true;
    this.#reportedMs = clock.nowMs;
    this.#events.clientsProtectedFrom(remote.hostname.replace(/^::ffff:/, ""), this.#unreported);
    this.#unreported = 0;
    return true;
  }
}
