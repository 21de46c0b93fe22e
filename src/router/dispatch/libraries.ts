/**
 * Function libraries are loaded at all masters or at none: where one of them is older than Redis 7, nothing is sent.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { Master } from "../backends/server.ts";
import type { Client } from "../client/client.ts";

/** Clients that wait, and of how many masters. */
const WAITING = new WeakMap<Client, { left: number }>();

/**
 * Whether a command that loads libraries waits until it is known which masters know functions; its client is
 * resumed then.
 */
export function waitsForMasters(client: Client, command: Command): boolean {
  if (!loadsLibraries(command) || !client.isAuthenticated) return false;
  const waiting = WAITING.get(client);
  if (waiting !== undefined && waiting.left > 0) return true;
  // Of a master that does not answer, nothing is known: it is sent the command.
  if (WAITING.delete(client)) return false;
  const masters = client.shared.slots.masters();
  const unasked = masters.filter(({ server }) => !server.functions.isSettled);
  if (unasked.length === 0) return false;
  const wait = { left: unasked.length };
  WAITING.set(client, wait);
  for (const { server } of unasked) {
    server.functions.ask(() => {
      if (--wait.left === 0) client.resume();
    });
  }
  return true;
}

/** Why libraries cannot be loaded at the masters, as an error text; empty when they can. */
export function refusedLibraries(
  command: Command,
  slots: { masters(): readonly Master[] },
): string {
  if (!loadsLibraries(command)) return "";
  const old = slots.masters().find(({ server }) => server.functions.areUnknown);
  if (old === undefined) return "";
  const name = command.name.toUpperCase().replace("|", " ");
  return `ERR ${name} is not done at any master: ${old.server.address} knows no functions, ` +
    "which need Redis 7 or newer";
}

function loadsLibraries({ name }: Command): boolean {
  return name === "function|load" || name === "function|restore";
}
