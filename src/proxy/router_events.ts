/**
 * What the data plane reports, as lines of the log.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { logger } from "../base/log.ts";
import { isOutOfFiles } from "../router/errors.ts";
import type { RouterEvents } from "../router/events.ts";
import type { RouterOptions } from "../router/options.ts";

/**
 * Events that are logged by the module `router`.
 *
 * @param options Of the router; they may change.
 */
export function routerEvents(options: Pick<RouterOptions, "slotWaitMs">): RouterEvents {
  const router = logger("router");
  return {
    backendReady: ({ server, database, protocol, isListening }) => {
      const say = isListening ? router.debug.bind(router) : router.info.bind(router);
      say("backend {address} db {database} RESP{protocol} is ready", {
        address: server.address,
        database,
        protocol,
      });
    },
    backendLost: ({ server, database, isListening }, cause, wasReady) => {
      const details = { address: server.address, database, cause };
      // What is said of all subscribers of a server together is enough.
      if (isListening) {
        router.debug("backend {address} db {database} not reachable: {cause}", details);
      } else if (wasReady) {
        router.warn("backend {address} db {database} disconnected: {cause}", details);
      } else if (isOutOfFiles(cause)) {
        router.warn(
          "backend {address} db {database} got no further connection: {cause}; what needs one gets errors, the " +
            "connections that are open go on: the limit is this process's own, raise ulimit -n",
          details,
        );
      } else {
        // Repeated for as long as clients ask: a line a minute says that it still holds.
        router.warn(
          "backend {address} db {database} not reachable: {cause}; its requests get errors: look at that server",
          details,
        );
      }
    },
    ...circuitEvents(router),
    ...sessionEvents(router),
    serversDiffer: (parameter, one, two) =>
      router.warn(
        "CONFIG GET {parameter}: {two} has another value than {one}, whose value clients get",
        { parameter, one, two },
      ),
    ...accessEvents(router),
    monitorDropped: ({ id, remote }, unreadBytes) =>
      router.warn(
        "session {id} of {remote} closed: it is a monitor and has not read {unreadBytes} bytes of its lines; " +
          "watch less: MONITOR with MATCH, USER, DB or SLOW",
        { id, remote, unreadBytes },
      ),
    subscriptionsLost: (address, cause) =>
      router.warn(
        "subscriptions at {address} are lost: {cause}; what is published there does not reach clients until it is back",
        { address, cause },
      ),
    subscriptionsBack: (address, clients, lostMs) =>
      router.info(
        "{address} has the subscriptions of {clients} again, after {lostMs} ms without its messages",
        { address, clients: countOf(clients, "client"), lostMs: Math.round(lostMs) },
      ),
    slotDrainTimedOut: (slotId, backends) =>
      router.warn(
        "slot {slotId}: drain timed out after {seconds} s, closing {count} backend connections: {addresses}",
        {
          slotId,
          seconds: options.slotWaitMs / 1000,
          count: backends.length,
          addresses: backends.map((backend) => backend.server.address).join(" "),
        },
      ),
  };
}

/** Servers that do not answer in time. */
function circuitEvents(
  router: ReturnType<typeof logger>,
): Pick<RouterEvents, "circuitOpened" | "circuitClosed"> {
  return {
    circuitOpened: ({ address, circuit }) =>
      router.warn(
        "server {address} does not answer in time ({cause}): requests for it are refused at once, and it is tried once a second",
        { address, cause: circuit.cause },
      ),
    circuitClosed: ({ address }, openMs) =>
      router.info(
        "server {address} answers in time again: requests were refused for {openMs} ms",
        { address, openMs: Math.round(openMs) },
      ),
  };
}

/** How clients come and go. */
function sessionEvents(
  router: ReturnType<typeof logger>,
): Pick<RouterEvents, `session${string}` & keyof RouterEvents> {
  return {
    sessionOpened: ({ id, remote }) =>
      router.debug("session {id} opened by {remote}", { id, remote }),
    sessionClosed: ({ id, remote }) =>
      router.debug("session {id} of {remote} closed", { id, remote }),
    sessionOverflowed: ({ id, remote, unsentBytes }) =>
      router.warn(
        "session {id} of {remote} closed: it has not read {unsentBytes} bytes of replies, more than session_max_buffer",
        { id, remote, unsentBytes },
      ),
    sessionEvicted: ({ id, remote, unsentBytes }) =>
      router.warn(
        "session {id} of {remote} closed: all sessions hold more than proxy_max_buffer, and it holds most: {unsentBytes} bytes of unread replies",
        { id, remote, unsentBytes },
      ),
    sessionMisunderstood: ({ remote }, error) =>
      // By address alone, so that many from one are one line with a count.
      router.warn(
        "a client of {address} was closed: {error}; it does not speak the Redis protocol, or speaks TLS " +
          "to a port without: look at what runs there",
        { address: remote.replace(/:\d+$/, ""), error: error.replace(/^ERR /, "") },
      ),
    sessionTimedOut: ({ id, remote }, reason) =>
      router.info("session {id} of {remote} closed: {reason}", { id, remote, reason }),
  };
}

/** Who was not let in. */
function accessEvents(
  router: ReturnType<typeof logger>,
): Pick<RouterEvents, "clientsProtectedFrom" | "authsRefused"> {
  return {
    clientsProtectedFrom: (address, count) =>
      router.warn(
        "protected mode has refused {clients} of other machines, the last from {address}; to " +
          "serve them, set password, or name the address to listen on: --addr=0.0.0.0:9000",
        { address, clients: countOf(count, "client") },
      ),
    authsRefused: ({ id, remote }, address, count, isSlowed) =>
      router.warn(
        (count === 1
          ? "session {id} of {remote} gave a wrong password"
          : "{count} wrong passwords from {address}, the last by session {id} of {remote}") +
          (isSlowed
            ? "; wrong ones from {address} are answered late until none came for 60 s"
            : ""),
        { id, remote, address, count },
      ),
  };
}
