/**
 * EXEC after the rules of its client's user have changed: what was queued is checked again, as in Redis.
 *
 *      queued ─► allowed still? ─┬─ yes ─► executed
 *                                └─ no ──► not sent; its place among the replies has an error
 *
 * @module
 */

import { ALLOWED, DENIED_CHANNEL, DENIED_COMMAND, verdictOn } from "../../acl/verdict.ts";
import type { Command } from "../../command/command.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { Transaction } from "../client/transaction.ts";
import { selectedDatabase } from "../local/connection.ts";
import { eventOf, logAccess, refusedContent } from "./refused_access.ts";

const CHANGED =
  "NOPERM ACLs rules changed between the moment the transaction was accumulated and the " +
  "EXEC call. This command is no longer allowed for the following reason: ";

/** Takes what is no longer allowed out of a client's transaction, if its user's rules have changed. */
export function recheckQueued(client: Client, transaction: Transaction): Transaction {
  const { user } = client;
  if (transaction.isAborted) return transaction; // nothing of it is executed
  if (user.isUnrestricted || user.version === transaction.userVersion) return transaction;
  const checked = transaction.copyOfFrame();
  checked.userVersion = user.version;
  const bytes = transaction.queuedBytes;
  const parser = new RequestParser();
  const laterOnes = [...transaction.later];
  let at = 0;
  for (const [place, command] of transaction.commands.entries()) {
    if (laterOnes[0]?.place === place) {
      const { bytes, refusal } = laterOnes.shift()!;
      if (refusal !== "") {
        checked.pushRefused(command, refusal);
        continue;
      }
      const later = new RequestParser();
      later.parse(bytes, 0, bytes.length);
      const text = refusalNow(client, command, later);
      if (text === "") checked.pushLater(command, bytes, 0, bytes.length);
      else checked.pushRefused(command, text);
      continue;
    }
    if (parser.parse(bytes, at, bytes.length) !== "request") {
      throw new Error("a queued request is not whole");
    }
    const text = refusalNow(client, command, parser);
    if (text !== "") checked.pushRefused(command, text);
    else {
      if (command.name === "select") {
        const database = selectedDatabase(parser);
        if (typeof database === "number") checked.database = database;
      }
      const { requestStart, requestEnd } = parser;
      const everywhere = transaction.everywhere.find((each) => each.place === place);
      if (everywhere === undefined) checked.push(command, bytes, requestStart, requestEnd);
      else checked.pushEverywhere(command, bytes, requestStart, requestEnd, everywhere.database);
    }
    at = parser.nextStart;
    parser.next();
  }
  transaction.end();
  return checked;
}

/** Why a queued command is not executed, as an error text; empty when it is. */
function refusalNow(client: Client, command: Command, parser: RequestParser): string {
  const verdict = verdictOn(client.user, command, parser);
  if (verdict.reason === ALLOWED) {
    const refusal = refusedContent(client.user, client.shared.scripts, command, parser);
    if (refusal?.event) logAccess(client, refusal.event);
    return refusal?.text ?? "";
  }
  logAccess(client, eventOf(verdict, "multi", command, parser)!);
  switch (verdict.reason) {
    case DENIED_COMMAND:
      return `${CHANGED}no permission to execute the command or subcommand`;
    case DENIED_CHANNEL:
      return `${CHANGED}no permission to access one of the channels used as arguments`;
    default:
      return `${CHANGED}no permission to touch the specified keys`;
  }
}
