/**
 * What a user may not do: Redis's text for it, and the entry in ACL LOG.
 *
 * @module
 */

import type { AclLogEntry } from "../../acl/acl_log.ts";
import { DENIED_CHANNEL, DENIED_COMMAND, type Verdict, verdictOn } from "../../acl/verdict.ts";
import type { User } from "../../acl/user.ts";
import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RouterShared } from "../shared.ts";

/** What the gate needs to know of a client whose user may not do everything. */
export interface RestrictedClient {
  readonly user: User;
  readonly transaction?: object | null;
  readonly shared: Pick<RouterShared, "aclLog">;
  /** Its line of CLIENT LIST. */
  describe(): string;
}

/**
 * Tells why a client's user may not run a command, as an error text; empty when it may.
 *
 * @param args All of its arguments. Borrowed until it returns.
 */
export function refuseAccess(client: RestrictedClient, command: Command, args: Arguments): string {
  const verdict = verdictOn(client.user, command, args);
  if (verdict.reason === 0) return "";
  const context = client.transaction ? "multi" : "toplevel";
  logRefusal(client, context, verdict, command, args);
  switch (verdict.reason) {
    case DENIED_COMMAND:
      return `NOPERM this user has no permissions to run the '${command.name}' command`;
    case DENIED_CHANNEL:
      return "NOPERM this user has no permissions to access one of the channels used as arguments";
    default:
      return NO_KEY;
  }
}

/** Of a longer key or channel the log keeps the beginning, in bytes. */
const OBJECT_BYTES_MAX = 1_024;

/** Redis's text for keys. */
export const NO_KEY =
  "NOPERM this user has no permissions to access one of the keys used as arguments";

/** Writes a denial into ACL LOG. */
export function logRefusal(
  client: RestrictedClient,
  context: AclLogEntry["context"],
  { reason, index }: Verdict,
  command: Command,
  args: Arguments,
): void {
  const isCommand = reason === DENIED_COMMAND;
  logEvent(client, {
    reason: isCommand ? "command" : reason === DENIED_CHANNEL ? "channel" : "key",
    context,
    object: isCommand ? command.name : latin1(
      args.bytes,
      args.start(index),
      Math.min(args.end(index), args.start(index) + OBJECT_BYTES_MAX),
    ),
    username: client.user.name,
  });
}

/** Writes an event into ACL LOG. */
export function logEvent(
  client: Omit<RestrictedClient, "user">,
  event: Pick<AclLogEntry, "reason" | "context" | "object" | "username">,
): void {
  client.shared.aclLog.add({ ...event, timeMs: Date.now(), clientInfo: client.describe() });
}
