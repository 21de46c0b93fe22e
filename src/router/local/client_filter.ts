/**
 * The clients that CLIENT LIST and CLIENT KILL mean, and the lines about them.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { ListedClient } from "../client/client_info.ts";
import type { RouterShared } from "../shared.ts";
import type { ClientFilter } from "../worker_context.ts";

/** The clients of one router that are meant. */
export function clientsOf(shared: RouterShared, filter: ClientFilter): ListedClient[] {
  return [...shared.clients.values()].filter((client) => matches(client, filter));
}

function matches(client: ListedClient, filter: ClientFilter): boolean {
  const { ids, remote, local, isNone, exceptId } = filter;
  return isNone !== true && client.id !== exceptId && (ids?.includes(client.id) ?? true) &&
    (remote === undefined || client.remote === remote) &&
    (local === undefined || client.local === local);
}

/** Lines of CLIENT LIST for the clients of one router. */
export function listClients(shared: RouterShared, filter: ClientFilter): string {
  return clientsOf(shared, filter).map((client) => `${describeClient(client)}\n`).join("");
}

/** Closes clients of one router; returns how many. */
export function killClients(shared: RouterShared, filter: ClientFilter): number {
  const clients = clientsOf(shared, filter);
  for (const client of clients) client.close();
  return clients.length;
}

/** One line of CLIENT LIST, in Redis's fields and order. */
export function describeClient(client: ListedClient): string {
  const seconds = (sinceMs: number) => Math.floor((clock.nowMs - sinceMs) / 1000);
  const fields: [string, string | number][] = [
    ["id", client.id],
    ["addr", client.remote],
    ["laddr", client.local],
    ["fd", 0],
    ["name", client.info.name],
    ["age", seconds(client.createdMs)],
    ["idle", seconds(client.lastReadMs)],
    ["flags", client.info.isNoEvict ? "e" : "N"],
    ["db", client.database],
    ["sub", 0],
    ["psub", 0],
    ["multi", -1],
    ["qbuf", client.unreadBytes],
    ["obl", 0],
    ["oll", client.depth],
    ["omem", client.unsentBytes],
    ["cmd", client.lastCommand?.name ?? "NULL"],
    ["user", "default"],
    ["resp", client.protocol],
    ["lib-name", client.info.libraryName],
    ["lib-ver", client.info.libraryVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}
