/**
 * Which clients CLIENT LIST and CLIENT KILL mean, and what is told of them: in plain values, since the
 * clients of other workers are meant, too.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Router } from "../router.ts";
import type { Session } from "../client/session.ts";

/** Every condition that is given must hold. */
export interface ClientFilter {
  /** One of these ids. */
  readonly ids?: readonly number[];
  /** The client's own address. */
  readonly remote?: string;
  /** The address that it has connected to. */
  readonly local?: string;
  /** Nobody: a type of client that the proxy has none of. */
  readonly isNone?: boolean;
  /** All but this one. */
  readonly exceptId?: number;
}

/** The clients of one router that are meant. */
export function clientsOf(router: Router, filter: ClientFilter): Session[] {
  return [...router.sessions.values()].filter((session) => matches(session, filter));
}

function matches(session: Session, filter: ClientFilter): boolean {
  const { ids, remote, local, isNone, exceptId } = filter;
  return isNone !== true && session.id !== exceptId && (ids?.includes(session.id) ?? true) &&
    (remote === undefined || session.remote === remote) &&
    (local === undefined || session.local === local);
}

/** Lines of CLIENT LIST for the clients of one router. */
export function listClients(router: Router, filter: ClientFilter): string {
  return clientsOf(router, filter).map((session) => `${describeClient(session)}\n`).join("");
}

/** Closes clients of one router; tells how many. */
export function killClients(router: Router, filter: ClientFilter): number {
  const clients = clientsOf(router, filter);
  for (const session of clients) session.close();
  return clients.length;
}

/** One line of CLIENT LIST, in Redis's fields and order. */
export function describeClient(session: Session): string {
  const seconds = (sinceMs: number) => Math.floor((clock.nowMs - sinceMs) / 1000);
  const fields: [string, string | number][] = [
    ["id", session.id],
    ["addr", session.remote],
    ["laddr", session.local],
    ["fd", 0],
    ["name", session.client.name],
    ["age", seconds(session.createdMs)],
    ["idle", seconds(session.lastReadMs)],
    ["flags", session.client.isNoEvict ? "e" : "N"],
    ["db", session.database],
    ["sub", 0],
    ["psub", 0],
    ["multi", -1],
    ["qbuf", session.unreadBytes],
    ["obl", 0],
    ["oll", session.depth],
    ["omem", session.unsentBytes],
    ["cmd", session.lastCommand?.name ?? "NULL"],
    ["user", "default"],
    ["resp", session.protocol],
    ["lib-name", session.client.libraryName],
    ["lib-ver", session.client.libraryVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}
