/**
 * What a client's user may not do: Redis's text for it, and the entry in ACL LOG.
 *
 * @module
 */

import type { AccessRefusal, AclLogEntry } from "../../acl/acl_log.ts";
import type { User } from "../../acl/user.ts";
import {
  ALLOWED,
  DENIED_CHANNEL,
  DENIED_COMMAND,
  mayReadAllKeys,
  type Verdict,
  verdictOn,
} from "../../acl/verdict.ts";
import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RouterShared } from "../shared.ts";
import { refusedLibrary, refusedScript } from "./script_access.ts";
import type { ScriptTexts } from "./script_texts.ts";
import { deniedSortOption } from "./sort_access.ts";

/** What is known of a client whose user may not do everything. */
export interface RestrictedClient {
  readonly user: User;
  readonly transaction?: object | null;
  readonly shared: Pick<RouterShared, "scripts">;
}

/** A client whose refusals are logged. */
export interface LoggedClient extends RestrictedClient {
  readonly shared: Pick<RouterShared, "scripts" | "aclLog" | "totals">;
  /** Its line of CLIENT LIST. */
  describe(): string;
}

/** Of a longer key or channel the log keeps the beginning, in bytes. */
const OBJECT_BYTES_MAX = 1_024;
/** Redis's text for keys. */
export const NO_KEY =
  "NOPERM this user has no permissions to access one of the keys used as arguments";
const NO_CHANNEL =
  "NOPERM this user has no permissions to access one of the channels used as arguments";

/** Redis's text for a command. */
export function noCommand({ name }: Command): string {
  return `NOPERM this user has no permissions to run the '${name}' command`;
}

/**
 * Tells why a client's user may not run a command; null when it may.
 *
 * @param args All of its arguments. Borrowed until it returns.
 */
export function refusedAccess(
  client: RestrictedClient,
  command: Command,
  args: Arguments,
): AccessRefusal | null {
  const { user, shared } = client;
  const verdict = verdictOn(user, command, args);
  if (verdict.reason !== ALLOWED) {
    return {
      text: textOf(verdict, command),
      event: eventOf(verdict, client.transaction ? "multi" : "toplevel", command, args),
    };
  }
  return refusedContent(user, shared.scripts, command, args);
}

/** As {@linkcode refusedAccess}, for what commands, keys and channels do not show. */
export function refusedContent(
  user: User,
  scripts: ScriptTexts,
  command: Command,
  args: Arguments,
): AccessRefusal | null {
  switch (command.caution) {
    case "":
      return refusedLibrary(user, command, args);
    case "sort":
      return mayReadAllKeys(user, command, args) ? null : deniedSortOption(args);
    case "script":
    case "function":
      return refusedScript(user, scripts, command, args);
  }
}

function textOf({ reason }: Verdict, command: Command): string {
  if (reason === DENIED_COMMAND) return noCommand(command);
  return reason === DENIED_CHANNEL ? NO_CHANNEL : NO_KEY;
}

/** What ACL LOG says of a denial. */
export function eventOf(
  { reason, index }: Verdict,
  context: AclLogEntry["context"],
  command: Command,
  args: Arguments,
): AccessRefusal["event"] {
  if (reason === DENIED_COMMAND) return { reason: "command", context, object: command.name };
  const end = Math.min(args.end(index), args.start(index) + OBJECT_BYTES_MAX);
  return {
    reason: reason === DENIED_CHANNEL ? "channel" : "key",
    context,
    object: latin1(args.bytes, args.start(index), end),
  };
}

/** Writes into ACL LOG that the gate has refused a request, if its user was the reason. */
export function logRefusedAccess(client: LoggedClient, command: Command, args: Arguments): void {
  if (client.user.isUnrestricted) return;
  const event = refusedAccess(client, command, args)?.event;
  if (event) logAccess(client, event);
}

/** Writes into ACL LOG, and counts. */
export function logAccess(
  client: LoggedClient,
  event: Pick<AclLogEntry, "reason" | "context" | "object">,
  username = client.user.name,
): void {
  const clientInfo = client.describe();
  const { totals } = client.shared;
  if (event.reason === "command") totals.deniedCommands++;
  if (event.reason === "key") totals.deniedKeys++;
  if (event.reason === "channel") totals.deniedChannels++;
  client.shared.aclLog.add({ ...event, username, timeMs: Date.now(), clientInfo });
}
