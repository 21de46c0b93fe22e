/**
 * The one gate: which requests are let through. Dispatch asks it for whole requests, pass-through for those
 * that are still arriving.
 *
 *      known? ─► arity ─► subcommand? ─► authenticated? ─► may its user? ─► not too long ─► allowed? ─► served?
 *
 * @module
 */

import type { User } from "../../acl/user.ts";
import { arityMatches, type Command } from "../../command/command.ts";
import { findByName } from "../../command/command_table.ts";
import { refusedPattern } from "../../command/sort_pattern.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { ELEMENTS_MAX_BEFORE_7 } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import {
  NO_AUTH,
  NO_CLUSTER,
  notAllowed,
  tooManyArguments,
  unknownCommand,
  unknownSubcommand,
  wrongArity,
} from "../errors.ts";
import type { RouterShared } from "../shared.ts";
import { refusedLibraries } from "./libraries.ts";
import { refusedAccess } from "./refused_access.ts";
import { isPlacedByArguments } from "./script_keys.ts";
import { refuseUndeclared } from "./undeclared_keys.ts";

/** What the gate knows of a client. */
export interface AdmittedClient {
  readonly isAuthenticated: boolean;
  readonly user: User;
  /** Its open transaction; left out: none. */
  readonly transaction?: object | null;
  readonly shared: Pick<
    RouterShared,
    "options" | "isLoading" | "refusal" | "version" | "scripts" | "slots"
  >;
}

/**
 * Tells why a request is not let through, as an error text; empty when it is.
 *
 * @param command What the request's name was found to be, if anything.
 * @param args The arguments that are here: all, or the first ones.
 * @param count How many there are in all.
 */
export function admit(
  client: AdmittedClient,
  command: Command | undefined,
  args: Arguments,
  count: number,
): string {
  if (command === undefined) return unknownText(args);
  if (!arityMatches(command, count)) return wrongArity(command.name);
  const isUnknownSubcommand = command.isContainer && args.count > 1; // a known one has a row of its own
  if (isUnknownSubcommand && command.handling !== "local") {
    return unknownSubcommand(command.name, args);
  }
  if (!client.isAuthenticated && !command.isAllowedBeforeAuth) return NO_AUTH;
  // Of a request that is still arriving, the rights are checked where it is handed on.
  if (!client.user.isUnrestricted && args.count === count) {
    if (isUnknownSubcommand) return unknownSubcommand(command.name, args);
    const refusal = refusedAccess(client, command, args);
    if (refusal !== null) return refusal.text;
  }
  const { shared } = client;
  // Such servers hang up on so many arguments, and with it on every client of the connection.
  if (count > ELEMENTS_MAX_BEFORE_7 && shared.version.isBefore7) {
    return tooManyArguments(count, ELEMENTS_MAX_BEFORE_7);
  }
  switch (command.handling) {
    case "forward":
      if (shared.refusal !== "") return shared.refusal;
      if (command.caution !== "" && args.count === count) {
        return refusedCaution(client, command, args);
      }
      return "";
    case "split":
    case "fanout":
      if (command.isDestructive && !shared.options.destructiveCommands) {
        return notAllowed(command.name, "destructive_commands is off in the proxy's configuration");
      }
      return shared.refusal || refusedLibraries(command, shared.slots);
    case "local":
      if (command.isClusterCommand && !shared.options.clusterMode) return NO_CLUSTER;
      if (command.isServerCommand) {
        if (!shared.options.serverCommands) {
          return notAllowed(command.name, "server_commands is off in the proxy's configuration");
        }
        if (shared.refusal !== "") return shared.refusal; // other servers may be masters by now
      }
      if (shared.isLoading && !isAnsweredWhileLoading(command)) return shared.refusal;
      return isUnknownSubcommand ? unknownSubcommand(command.name, args) : "";
    case "transaction":
      return "";
    case "refuse":
      return command.isClusterCommand && !shared.options.clusterMode ? NO_CLUSTER : command.refusal;
  }
}

/** What the arguments of a command show that its keys do not; an error text, or empty. */
function refusedCaution(
  { transaction, shared: { options, scripts, slots } }: AdmittedClient,
  command: Command,
  args: Arguments,
): string {
  if (command.caution === "sort") {
    const { placement } = slots;
    return refusedPattern(args, (bytes, start, end) => placement.slotIdOf(bytes, start, end));
  }
  if (options.undeclaredKeys) return "";
  const refusal = refuseUndeclared(scripts, command, args);
  if (refusal === "") return "";
  // Inside a transaction its slot is that of the declared keys.
  const isInTransaction = transaction !== null && transaction !== undefined;
  return !isInTransaction && isPlacedByArguments(slots.placement, args) ? "" : refusal;
}

/** Whether Redis, too, answers a command while it loads: AUTH and INFO, but not PING. */
function isAnsweredWhileLoading(command: Command): boolean {
  return command.origin === "codis" || command.flags.includes("loading");
}

/** Redis's text for a name that is no command, or a container's unknown subcommand. */
function unknownText(args: Arguments): string {
  if (args.count > 1) {
    const name = new TextDecoder().decode(args.bytes.subarray(args.start(0), args.end(0)));
    const command = findByName(name.toLowerCase());
    if (command?.isContainer) return unknownSubcommand(command.name, args);
  }
  return unknownCommand(args);
}

// -- before the version of the servers is known -----------------------------------------------

/** Clients whose request of very many arguments has waited already. */
const HAVE_WAITED = new WeakSet<Client>();

/**
 * Whether a request of more than {@linkcode ELEMENTS_MAX_BEFORE_7} arguments must wait until it is known
 * what servers there are.
 *
 * @returns True when the client must wait; it is resumed, and then not held up again.
 */
export function waitsForVersion(client: Client): boolean {
  if (HAVE_WAITED.delete(client)) return false;
  let isKnown = false;
  client.shared.version.ask(() => {
    isKnown = true;
    client.resume();
  });
  if (!isKnown) HAVE_WAITED.add(client);
  return !isKnown;
}
