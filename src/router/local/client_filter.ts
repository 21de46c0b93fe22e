/**
 * The clients that CLIENT LIST and CLIENT KILL mean, and the lines about them.
 *
 * @module
 */

import { textOfBytes } from "../../acl/users.ts";
import { clock } from "../../base/clock.ts";
import type { ListedClient } from "../client/client_info.ts";
import type { RouterShared } from "../shared.ts";
import type { ClientFilter } from "../worker_context.ts";

/** The clients of one router that are meant. */
export function clientsOf(shared: RouterShared, filter: ClientFilter): ListedClient[] {
  const { ids } = filter;
  const clients = ids === undefined
    ? [...shared.clients.values()]
    : ids.flatMap((id) => shared.clients.get(id) ?? []);
  return clients.filter((client) => matches(client, filter));
}

function matches(client: ListedClient, filter: ClientFilter): boolean {
  const { remote, local, type, exceptId, user } = filter;
  return client.id !== exceptId &&
    (remote === undefined || client.remote === remote) &&
    (local === undefined || client.local === local) &&
    (type === undefined || typeOf(client) === type) &&
    (user === undefined || client.user.name === user);
}

/** Redis's types of clients, as far as the proxy has them. */
function typeOf({ subscriptions }: ListedClient): "normal" | "pubsub" {
  return subscriptions?.isSubscribed === true ? "pubsub" : "normal";
}

/** Lines of CLIENT LIST for the clients of one router. */
export function listClients(
  shared: RouterShared,
  filter: ClientFilter,
  current?: CurrentRequest,
): string {
  return clientsOf(shared, filter).map((client) =>
    `${describeClient(client, client.id === current?.clientId ? current : undefined)}\n`
  ).join("");
}

/** Lines of several routers as one Redis would list them: as they connected, or as they were asked for. */
export function orderLines(lines: string, { ids }: ClientFilter): string {
  const byId = new Map<number, string>();
  for (const line of lines.split("\n")) {
    if (line !== "") byId.set(Number(line.slice(3, line.indexOf(" "))), `${line}\n`);
  }
  const order = ids ?? [...byId.keys()].sort((a, b) => a - b);
  return order.map((id) => byId.get(id) ?? "").join("");
}

/** Closes clients of one router; returns how many. */
export function killClients(shared: RouterShared, filter: ClientFilter): number {
  const clients = clientsOf(shared, filter);
  for (const client of clients) client.close();
  return clients.length;
}

/** The request that asks for the list, which Redis has in the buffer of its client. */
export interface CurrentRequest {
  readonly clientId: number;
  /** Bytes of the request. */
  readonly requestBytes: number;
  /** Bytes of its arguments. */
  readonly argumentBytes: number;
}

/** Bytes that Redis keeps for a client at least: its structure and its buffers. */
const CLIENT_BYTES = 1_024;

/** Bytes of replies that Redis keeps in a client's own buffer, and not in a list. */
const OUTPUT_BUFFER_BYTES = 16 * 1024;

/** One line of CLIENT LIST, in the fields and the order of Redis 7.0; what the proxy has not is 0. */
export function describeClient(client: ListedClient, current?: CurrentRequest): string {
  const { info, extras, unreadBytes, unsentBytes } = client;
  const seconds = (sinceMs: number) => Math.floor((clock.nowMs - sinceMs) / 1000);
  const queryBytes = unreadBytes + (current?.requestBytes ?? 0);
  const argumentBytes = current?.argumentBytes ?? 0;
  const { transaction } = client;
  const multiBytes = transaction === null || transaction.commands.length === 0
    ? 0
    : transaction.heldBytes;
  const fields: [string, string | number][] = [
    ["id", client.id],
    ["addr", client.remote],
    ["laddr", client.local],
    ["fd", 0],
    ["name", info.name],
    ["age", seconds(client.createdMs)],
    ["idle", seconds(client.lastReadMs)],
    ["flags", flagsOf(client)],
    ["db", client.database],
    ["sub", client.subscriptions?.counts.channels ?? 0],
    ["psub", client.subscriptions?.counts.patterns ?? 0],
    ["ssub", client.subscriptions?.counts.shardChannels ?? 0],
    ["multi", transaction?.commands.length ?? -1],
    ["qbuf", queryBytes],
    ["qbuf-free", 0],
    ["argv-mem", argumentBytes],
    ["multi-mem", multiBytes],
    ["rbs", CLIENT_BYTES],
    ["rbp", 0],
    ["obl", Math.min(unsentBytes, OUTPUT_BUFFER_BYTES)],
    ["oll", 0],
    ["omem", Math.max(0, unsentBytes - OUTPUT_BUFFER_BYTES)],
    ["tot-mem", 2 * CLIENT_BYTES + queryBytes + argumentBytes + unsentBytes],
    ["events", "r"],
    ["cmd", client.lastCommand?.name ?? "NULL"],
    ["user", textOfBytes(client.user.name)],
    ["redir", extras?.tracking?.options.redirect ?? -1],
    ["resp", client.protocol],
  ];
  // Redis 7.2 has these, too; one of 7.0 never has anything to say.
  if (info.libraryName !== "" || info.libraryVersion !== "") {
    fields.push(["lib-name", info.libraryName], ["lib-ver", info.libraryVersion]);
  }
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}

function flagsOf(client: ListedClient): string {
  const { info, extras, subscriptions, state, blocked, transaction, watches, reads } = client;
  const tracking = extras?.tracking;
  const flags = [
    extras?.isMonitor === true && "O",
    subscriptions?.isSubscribed === true && "P",
    transaction !== null && "x",
    blocked?.isAtServer && "b",
    tracking && "t",
    tracking?.isBroken && "R",
    tracking?.options.isBroadcast && "B",
    watches.some(({ isTouched }) => isTouched) && "d",
    state === "draining" && "c",
    reads !== null && "r",
    info.isNoEvict && "e",
  ].filter((flag) => typeof flag === "string");
  return flags.length === 0 ? "N" : flags.join("");
}
