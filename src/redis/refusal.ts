/**
 * What to do when a server refuses us, or a command of ours: its own text names neither itself nor a remedy.
 *
 * @module
 */

import { RedisError } from "./reply.ts";

/** Commands with subcommands, which rules name as `client|list`. */
const CONTAINERS = ["acl", "client", "config", "command", "function", "latency", "script"];

/**
 * The error with the server's name and a remedy behind the server's text, where the server does not let us in, does
 * not let us use the command, or does not have it; any other error as it is.
 *
 * @param user Whom we are logged in as; `""`: the default user.
 * @param request Its words.
 */
export function withRemedy(
  error: RedisError,
  address: string,
  user: string,
  request: readonly unknown[],
): RedisError {
  const { message } = error;
  // All but these may be values of megabytes.
  const words = request.slice(0, 2).map(wordText);
  const remedy = remedyOf(message, address, user === "" ? "default" : user, words);
  return remedy === "" ? error : new RedisError(`${message.trimEnd()} (${remedy})`);
}

function wordText(word: unknown): string {
  return word instanceof Uint8Array ? new TextDecoder().decode(word) : String(word);
}

function remedyOf(
  message: string,
  address: string,
  user: string,
  [command = "", subcommand = ""]: readonly string[],
): string {
  if (message.startsWith("NOPERM ")) {
    const rule = ruleFor(message, command.toLowerCase(), subcommand.toLowerCase());
    return `at ${address}: run ACL SETUSER ${user} ${rule} there, then ACL SAVE or CONFIG REWRITE`;
  }
  if (message.startsWith("NOAUTH ")) {
    return `at ${address}: it wants a password, and none is configured for it`;
  }
  if (message.startsWith("WRONGPASS ")) {
    return `at ${address}: it has no user "${user}" with the password that is configured`;
  }
  if (/^ERR unknown command/i.test(message)) {
    return `at ${address}: rename-command in its redis.conf may have taken ${command.toUpperCase()} ` +
      "away, or its version does not have it";
  }
  return "";
}

function ruleFor(message: string, command: string, subcommand: string): string {
  if (/one of the keys/.test(message)) return "'~*'";
  if (/one of the channels/.test(message)) return "'&*'";
  return CONTAINERS.includes(command) && subcommand !== ""
    ? `+'${command}|${subcommand}'`
    : `+${command}`;
}
