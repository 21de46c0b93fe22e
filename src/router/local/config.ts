/**
 * CONFIG: the proxy's own configuration, and for everything else the masters'.
 *
 * @module
 */

import { SECRET_PARAMETERS } from "../../command/secrets.ts";
import { Encoder, encodeRequest, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { ReplyFailure } from "../../resp/reply_value.ts";
import type { MasterAnswer } from "../backends/ask_each.ts";
import {
  SLOW_LOG_LENGTH_MAX,
  type SlowLogOrder,
  type SlowLogSettings,
} from "../slow_log/slow_log.ts";
import { notAllowed, SYNTAX_ERROR } from "../errors.ts";
import type { ConfigOrder } from "../worker_context.ts";
import {
  answerWhen,
  argumentText,
  argumentWord,
  globPattern,
  integerOf,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";
import { answerFromLogs } from "./slow_log.ts";
import { askMasters, causesOf, doneByAll, type MastersAsking, pairsOf } from "./masters.ts";

/** Answers by name. */
export const CONFIG_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "config|get": getConfig,
  "config|set": setConfig,
  "config|resetstat": resetStatistics,
  "config|rewrite": rewriteConfig,
};

/** Parameters of the masters whose values nobody sees. */
const SECRETS = SECRET_PARAMETERS.filter((name) => name !== "masteruser");
const MASK = "***";
/** Parameters by which proxies reach the masters: each server's own, shown only when named, and not set. */
const OF_ONE_SERVER = [...SECRETS, "masteruser", "port", "tls-port", "bind", "unixsocket"];
/** More parameters that rightly differ from server to server. */
const MAY_DIFFER = [...OF_ONE_SERVER, "dir", "logfile", "pidfile", "aclfile"];

const OK = utf8("+OK\r\n");
/** Who does a part of some orders beside the masters, and after them. */
const THE_PROXY = "the proxy itself";

/** `CONFIG GET pattern [pattern …]`: the proxy's own keys, then the first master's parameters. */
function getConfig(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  const words: string[] = [];
  const asked = new Map<string, string>();
  for (let i = 2; i < args.count; i++) {
    const word = argumentWord(args, i);
    words.push(word);
    if (!asked.has(word)) asked.set(word, argumentText(args, i));
  }
  const patterns = words.map(globPattern);
  const isMeant = (name: string) => patterns.some((pattern) => pattern.test(name));
  const { shownConfig } = client.shared.options;
  const shown = [...shownConfig, ...slowLogConfig(call)];
  const own = shown.filter(([name]) => isMeant(name));
  const rest = words.filter((word) => !shown.some(([name]) => name === word));
  if (rest.length === 0 || client.shared.slots.masters().length === 0) {
    return encodeConfig(own, asked, new Encoder(client.protocol));
  }
  // Servers before Redis 7 take one pattern.
  const patternsSent = rest.length > 1 && client.shared.version.isBefore7 ? ["*"] : rest;
  return askMasters(call, (answers, protocol) => {
    const told = answers.filter(({ value }) => Array.isArray(value));
    const [first] = told;
    if (first === undefined && own.length === 0) {
      return errorReply((answers[0]!.value as ReplyFailure).text);
    }
    const ownNames = new Set(shown.map(([name]) => name));
    const others = pairsOf(first?.value ?? []).filter(([name]) =>
      isMeant(name) && !ownNames.has(name) &&
      (!OF_ONE_SERVER.includes(name) || words.includes(name))
    ).map(([name, value]): [string, string] => [
      name,
      SECRETS.includes(name) && value !== "" ? MASK : `${value}`,
    ]);
    reportDifferences(call, others.map(([name]) => name), told);
    return encodeConfig([...own, ...others], asked, new Encoder(protocol));
  }, { bytes: encodeRequest(["CONFIG", "GET", ...patternsSent]) });
}

/** @param asked How the client has spelled a name in lower case: as Redis 7, it gets it back like that. */
function encodeConfig(
  pairs: readonly (readonly [name: string, value: string])[],
  asked: ReadonlyMap<string, string>,
  out: Encoder,
): Uint8Array {
  out.map(pairs.length);
  for (const [name, value] of pairs) {
    out.bulk(latin1Bytes(asked.get(name) ?? name)).bulk(latin1Bytes(value));
  }
  return out.done();
}

/** Says in the log, once for each parameter, that masters have different values. */
function reportDifferences(
  { client }: LocalCall,
  names: readonly string[],
  answers: readonly MasterAnswer[],
): void {
  const all = answers.map(({ value }) => new Map(pairsOf(value)));
  for (const name of names) {
    const other = all.findIndex((each) => each.get(name) !== all[0]!.get(name));
    if (other < 0 || MAY_DIFFER.includes(name)) continue;
    const [one, two] = [answers[0]!, answers[other]!].map(({ master }) => master.server.address);
    client.shared.serversDiffer(name, one!, two!);
  }
}

/**
 * `CONFIG SET name value [name value …]`: the proxy's own keys here, all others at all masters. Not both at once:
 * it could be done in part.
 */
function setConfig(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  if (args.count % 2 !== 0) return errorReply(SYNTAX_ERROR);
  const own = new Map(client.shared.options.shownConfig);
  const set: { readonly key: string; readonly name: string; readonly value: string }[] = [];
  const slowLog: { -readonly [K in keyof SlowLogSettings]?: number } = {};
  const words: (string | Uint8Array)[] = ["CONFIG", "SET"];
  const names = new Set<string>();
  for (let i = 2; i < args.count; i += 2) {
    const name = argumentWord(args, i);
    const key = OWN_NAMES[name] ?? name;
    if (names.has(key)) return cannotSet(name, "duplicate parameter");
    names.add(key);
    if (OF_ONE_SERVER.includes(name)) {
      return errorReply(notAllowed(
        "config|set",
        `'${name}' is how proxies reach the server, connect to the server instead`,
      ));
    }
    const setting = SLOW_LOG_PARAMETERS[name];
    if (setting !== undefined) {
      const value = integerOf(argumentText(args, i + 1));
      const fault = value === null
        ? "argument couldn't be parsed into an integer"
        : value < setting.min || value > setting.max
        ? `argument must be between ${setting.min} and ${setting.max} inclusive`
        : "";
      if (fault !== "") return cannotSet(name, fault);
      slowLog[setting.field] = Number(value);
      continue;
    }
    const value = own.get(name);
    if (value === argumentText(args, i + 1)) continue; // a program that writes back what it has read
    if (value !== undefined) {
      if (REDIS_NAMES.includes(name)) return cannotSet(name, FIXED);
      set.push({ key, name, value: argumentText(args, i + 1) });
      continue;
    }
    for (const at of [i, i + 1]) words.push(args.bytes.slice(args.start(at), args.end(at)));
  }
  const order = Object.keys(slowLog).length > 0 ? { settings: slowLog } : null;
  if (set.length > 0) {
    if (words.length > 2 || order !== null) return errorReply(ONE_OF_BOTH);
    return answerWhen(call, (answer) => {
      const pairs = set.map(({ key, value }): [string, string] => [key, value]);
      changeConfig(call, { kind: "set", pairs }).then((why) => {
        const { key, name } = set.find(({ key }) => why.includes(key)) ?? set[0]!;
        // In the client's word for it, which may be Redis's.
        answer(why === "" ? OK : cannotSet(name, why.replaceAll(key, name)));
      });
    });
  }
  if (words.length === 2) return order === null ? OK : answerFromLogs(call, order, () => OK);
  return orderThenOwn(call, order, { bytes: encodeRequest(words) });
}

/** `CONFIG RESETSTAT`: all masters' statistics, then the proxy's own. */
function resetStatistics(call: LocalCall): Uint8Array | null {
  return orderThenOwn(call, { resetTimes: true });
}

/** An order to all masters, then to the proxy's slow logs, if there is one: what a master refuses changes nothing here. */
function orderThenOwn(
  call: LocalCall,
  own: SlowLogOrder | null,
  asking: MastersAsking = {},
): Uint8Array | null {
  return askMasters(call, (answers) => {
    const isDone = !answers.some(({ value }) => value instanceof ReplyFailure);
    if (isDone && own !== null) tellSlowLogs(call, own);
    return doneByAll(call, answers, own === null ? "" : THE_PROXY);
  }, asking);
}

/** Redis's names for the proxy's own keys. */
const OWN_NAMES: Readonly<Record<string, string>> = {
  maxclients: "max_clients",
  timeout: "session_max_timeout",
};
/** Redis's names of what cannot change while the proxy runs. */
const REDIS_NAMES = ["protected-mode", "databases"];
const FIXED =
  "can't set immutable config: it is the proxy's own, set it in the proxy's configuration";
const ONE_OF_BOTH =
  "ERR CONFIG SET cannot change the proxy's own keys and the servers' parameters in one command: send two commands";

/** Changes the proxy's own configuration; resolves with why that was not done, empty when it was. */
function changeConfig({ client }: LocalCall, order: ConfigOrder): Promise<string> {
  const { id, remote, user, shared } = client;
  const what = order.kind === "set" ? "CONFIG SET" : "CONFIG REWRITE";
  return shared.worker.changeConfig(order, `${what} by client ${id} (${user.name}, ${remote})`)
    .catch((error) => (error as Error).message);
}

/** What a server says that was started without a file: it has nothing to write. */
const NO_SERVER_FILE = "ERR The server is running without a config file";

/**
 * `CONFIG REWRITE`: the proxy writes what was set into its file; then all masters do so with theirs, if they
 * have one.
 */
function rewriteConfig(call: LocalCall): Uint8Array | null {
  const first = async () => {
    const why = await changeConfig(call, { kind: "rewrite" });
    return why === "" ? null : errorReply(`ERR ${why}`);
  };
  if (call.client.shared.slots.masters().length === 0) {
    return answerWhen(call, (answer) => first().then((refusal) => answer(refusal ?? OK)));
  }
  return askMasters(call, (answers) => {
    const failed = answers.filter(({ value }) =>
      value instanceof ReplyFailure && value.text !== NO_SERVER_FILE
    );
    if (failed.length === 0) return OK;
    return errorReply(
      `ERR CONFIG REWRITE has written the proxy's file, but not the file of ${causesOf(failed)}`,
    );
  }, { first });
}

function cannotSet(name: string, why: string): Uint8Array {
  return errorReply(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`);
}

/** Redis's parameters of the slow log: here they are the proxy's, and set while it runs. */
const SLOW_LOG_PARAMETERS: Readonly<
  Record<string, { field: keyof SlowLogSettings; min: number; max: number }>
> = {
  "slowlog-log-slower-than": { field: "slowerThanUs", min: -1, max: Number.MAX_SAFE_INTEGER },
  "slowlog-max-len": { field: "length", min: 0, max: SLOW_LOG_LENGTH_MAX },
};

function slowLogConfig({ client }: LocalCall): [name: string, value: string][] {
  const { settings } = client.shared.slowLog;
  return Object.entries(SLOW_LOG_PARAMETERS)
    .map(([name, { field }]) => [name, `${settings[field]}`]);
}

/** Tells all workers, whose answer is not waited for. */
function tellSlowLogs({ client: { shared } }: LocalCall, order: SlowLogOrder): void {
  shared.orderSlowLog(order);
  shared.worker.peers?.slowLog(order).catch(() => {});
}
