/**
 * A request that does not fit the command table: perhaps the servers know more than the table.
 *
 *      no such command, subcommand, or number of arguments ─► have the servers said what they know?
 *            ─ no ─► they are asked; the client waits, bounded, and its request is dispatched again
 *            ─ yes ► the row that was learned, if any
 *
 * @module
 */

import { arityMatches, type Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { COMMANDS_NOT_LEARNED } from "../errors.ts";

/** Clients that wait, and whether they need wait no longer. */
const WAITING = new WeakMap<Client, { isOver: boolean }>();

/**
 * Whether the table says all there is to say of a request. Of the number of arguments servers may say more
 * where they are just sent on.
 */
export function fits(command: Command | undefined, args: Arguments): boolean {
  if (command === undefined || (command.isContainer && args.count > 1)) return false;
  return arityMatches(command, args.count) || command.handling !== "forward";
}

/**
 * The row that the servers have for a request which does not fit the table.
 *
 * @param known What the table says of it.
 * @returns The row to go on with; null when the client waits, or was answered.
 */
export function learnedCommand(
  client: Client,
  known: Command | undefined,
  parser: RequestParser,
): Command | undefined | null {
  const { learned, refusal } = client.shared;
  if (known?.origin === "http") return known;
  if (!client.isAuthenticated) return learned.find(parser) ?? known;
  // What cannot be looked up now must not be called unknown.
  if (refusal !== "") return known ?? answerWith(client, refusal);
  if (!mayGoOn(client)) {
    client.credit.isRefused = true;
    return null;
  }
  const found = learned.find(parser) ?? known;
  if (found === undefined && learned.isInTheDark) return answerWith(client, COMMANDS_NOT_LEARNED);
  return found;
}

function answerWith(client: Client, text: string): null {
  client.transaction?.abort(text);
  client.answer(errorReply(text));
  return null;
}

/** Whether the servers were asked, as far as that is possible now; if not, the client is resumed later. */
function mayGoOn(client: Client): boolean {
  const { learned } = client.shared;
  const waiting = WAITING.get(client);
  if (waiting !== undefined) {
    if (!waiting.isOver) return false;
    WAITING.delete(client);
    return true;
  }
  if (learned.isSettled) return true;
  const wait = { isOver: false };
  learned.ask(() => {
    wait.isOver = true;
    client.resume();
  });
  if (!wait.isOver) WAITING.set(client, wait);
  return wait.isOver;
}
