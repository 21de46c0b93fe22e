/**
 * What to do when a server refuses us, or a command of ours, or cannot be spoken to: its own text names neither
 * itself nor a remedy.
 *
 * @module
 */

import { isTlsFault } from "../io/tls.ts";
import { RedisError } from "./reply.ts";

/** Commands with subcommands, which rules name as `client|list`. */
const CONTAINERS = ["acl", "client", "config", "command", "function", "latency", "script"];

const TLS_HINT =
  "compare its TLS settings and its certificate with backend_tls, backend_tls_ca, backend_tls_cert and " +
  "backend_tls_server_name in config.ini, and correct what is wrong";

/** What the framer of replies says of what answers there. */
const OTHER_PROTOCOL = "not Redis's protocol";
const OTHER_HINT =
  "look at what listens at this address: it is no Redis server, or one that speaks TLS";

/** What to do when a connection ends because the two ends speak differently; `""`: another cause. */
export function protocolHint(cause: string): string {
  if (isTlsFault(cause)) return TLS_HINT;
  return cause.includes(OTHER_PROTOCOL) ? OTHER_HINT : "";
}

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
    return `at ${address}: it wants a password, and none is configured for it: set backend_password or ` +
      "password in config.ini";
  }
  if (/^ERR (AUTH <password> called without|Client sent AUTH, but no)/.test(message)) {
    return `at ${address}: it wants no password, and one is configured for it: set requirepass there, or ` +
      "correct backend_password or password in config.ini";
  }
  if (message.startsWith("WRONGPASS ")) {
    return `at ${address}: it has no user "${user}" with the password that is configured`;
  }
  if (message.startsWith("LOADING ")) {
    return `at ${address}: try again when it has loaded its data`;
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
