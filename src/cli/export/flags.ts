/**
 * The flags of `export`: those of `import`, in other words where they differ.
 *
 * @module
 */

import { parseServer, type SourceServer } from "../../import/source/source_address.ts";
import {
  ALLOW_FLUSH,
  CHOICE_FLAGS,
  COUNT_ONLY,
  MERGE,
  ONCE,
  RATE,
  RESTART,
  STATE,
  SWITCH_OVER,
  VERIFY,
} from "../import/flags.ts";
import { CONFIG_FILE } from "../parts/flags.ts";
import type { Flag } from "../parts/subcommand.ts";

/** The server that is written to. */
export const TO_SERVER: Flag<SourceServer> = {
  name: "to",
  value: "server",
  default: "",
  help: "redis://[user:password@]host:port; rediss:// with TLS",
  parse: parseTarget,
};

/** Keeps the password out of the command line. */
export const TO_PASSWORD_FILE: Flag<string> = {
  name: "to-password-file",
  value: "file",
  default: "",
  isFile: true,
  help: "file whose first line is the password of the target, if --to has none",
};

const HELP: Readonly<Record<string, string>> = {
  match: "export only keys that match one of these, as in KEYS, separated by commas",
  db: "export only this database",
  strip: "export only keys that begin with this, and take it away",
  rate: "read no more than this in a second from all masters, such as 20mb",
  state: "file that records how far the export has come; without this flag: export-<product>.state",
  merge: "allow a target that already has keys: those of the same name are replaced, others stay",
  "switch-over":
    "when in step: pause writes at the product's masters, compare, and end; clients can then use the target",
  verify: "compare keys with the product at the end: none, sample or all",
  "allow-flush": "when all keys are deleted (FLUSHALL, FLUSHDB), do so at the target, too",
};

/** All of them. */
export const EXPORT_FLAGS: readonly Flag[] = [
  ...[CONFIG_FILE, TO_SERVER, TO_PASSWORD_FILE],
  ...[STATE, RESTART, MERGE, ONCE, SWITCH_OVER, VERIFY, ...CHOICE_FLAGS, RATE, ALLOW_FLUSH]
    .map((flag) => ({ ...flag, help: HELP[flag.name] ?? flag.help })),
  COUNT_ONLY,
];

function parseTarget(text: string): SourceServer {
  const target = parseServer(text);
  if (target?.kind === "redis") return target.server;
  throw new SyntaxError(
    target === undefined
      ? "a target is one server: redis://[user:password@]host:port, or rediss://…"
      : "keys are not exported to a Redis Cluster: export to a single server, and fill the cluster from there " +
        "(redis-cli --cluster import)",
  );
}
