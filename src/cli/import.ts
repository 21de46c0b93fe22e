/**
 * The command `import`: moves the keys of another Redis in, while it is used.
 *
 *     --from ─► source ─► RDB, then changes ─► proxies of the product (-c config.ini) ─► its servers
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { importRdbFile, StoppedError } from "../import/file_import.ts";
import { ImportCounts } from "../import/import_counts.ts";
import { VALUE_TYPES } from "../import/rdb/value_shape.ts";
import { ReadRate } from "../import/read_rate.ts";
import { type AppendOnlySource, parseServer, sourceName } from "../import/source/source_address.ts";
import { openTarget } from "./import/destination.ts";
import {
  ALLOW_FLUSH,
  CHOICE_FLAGS,
  COUNT_ONLY,
  FROM,
  FROM_PASSWORD_FILE,
  MERGE,
  ONCE,
  RATE,
  readChoice,
  refuseForFiles,
  RESTART,
  STATE,
  SWITCH_OVER,
  TO,
  valueOr,
  VERIFY,
} from "./import/flags.ts";
import { readProduct } from "./import/product.ts";
import { countsJson, ProgressLine } from "./import/progress_line.ts";
import { LoadedAppendOnly } from "./import/append_only.ts";
import { importServers } from "./import/servers.ts";
import { StopSignals } from "./import/stop_signals.ts";
import { CommandContext } from "./parts/context.ts";
import { CONFIG_FILE } from "./parts/flags.ts";
import { toJson } from "./parts/output.ts";
import {
  type FlagValues,
  isGiven,
  readValue,
  type Subcommand,
  UsageError,
} from "./parts/subcommand.ts";

/** Connections to proxies for a file. */
const LANES = 4;

/** See the header. */
export const importCommand: Subcommand = {
  name: "import",
  summary: "Import the keys of another Redis while it is in use.",
  details:
    "Keys are written through the proxies of the product that the config file names; one that is there already\n" +
    "is replaced. A source that is a server is followed until Ctrl-C; the same command continues. Exit codes:\n" +
    "0 done, 1 failed, 2 keys differ, 129, 130 or 143 stopped by a signal. For groups and servers of another\n" +
    "Codis or of twemproxy, see config server import.",
  flags: [
    ...[
      CONFIG_FILE,
      FROM,
      FROM_PASSWORD_FILE,
      TO,
      STATE,
      RESTART,
      MERGE,
      ONCE,
      SWITCH_OVER,
      VERIFY,
    ],
    ...[...CHOICE_FLAGS, RATE, ALLOW_FLUSH, COUNT_ONLY],
  ],
  run: runImport,
};

async function runImport(values: FlagValues): Promise<number> {
  if (!isGiven(values, FROM)) {
    throw new UsageError(`--from is missing: where the keys come from, ${FROM.help}`);
  }
  const sources = readValue(values, FROM);
  const [first] = sources;
  readChoice(values);
  await using context = new CommandContext(values);
  if ("file" in first!) {
    refuseForFiles(values);
    return await importFile(values, context, first.file, sourceName(first));
  }
  if (first!.kind === "aof") return await importAppendOnly(values, context, first!);
  const servers = sources.flatMap((source) => "server" in source ? [source] : []);
  return await importServers(values, context, servers);
}

/** A server loads it first; from then on it is the import of a server. */
async function importAppendOnly(
  values: FlagValues,
  context: CommandContext,
  source: AppendOnlySource,
): Promise<number> {
  refuseForFiles(values, [VERIFY]);
  using stop = new StopSignals();
  const loaded = await LoadedAppendOnly.load(source, stop.signal).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  if (loaded === undefined) return stop.code;
  await using _ended = loaded;
  const server = parseServer(`redis://127.0.0.1:${loaded.port}`)!;
  const once = {
    ...values,
    ...{ [ONCE.name]: "on", [MERGE.name]: "on", [STATE.name]: `${loaded.folder}/state` },
    // Ours has no password.
    [FROM_PASSWORD_FILE.name]: "",
  };
  return await importServers(once, context, [server]);
}

async function importFile(
  values: FlagValues,
  context: CommandContext,
  file: string,
  name: string,
): Promise<number> {
  const [choice, rate, counts, checked] = [
    readChoice(values),
    new ReadRate(valueOr(values, RATE, 0)),
    new ImportCounts(),
    new ImportCounts(),
  ];
  const { size, isFile } = await Deno.stat(file).catch((error) => {
    throw new UsageError(`${name} cannot be read: ${error.message}`);
  });
  if (!isFile) {
    throw new UsageError(
      `${name} is not a regular file: it is read twice, which a pipe does not allow`,
    );
  }
  const product = isGiven(values, COUNT_ONLY)
    ? undefined
    : await readProduct(context, valueOr(values, TO, undefined));
  using stop = new StopSignals();
  const startMs = performance.now();
  const target = product && await openTarget(product, LANES);
  try {
    using _shown = new ProgressLine(() => ({
      ...{ phase: "copying", counts, keysAll: 0, lagBytes: 0, lagMs: 0 },
      ...{ rdbBytes: checked.bytes + counts.bytes, rdbBytesAll: product ? 2 * size : size },
    }));
    const { signal: stopping } = stop;
    const types = await importRdbFile({
      ...{ file, target, choice, counts, checked, rate, stopping },
    });
    console.log(toJson({
      ...countsJson(counts, performance.now() - startMs),
      keys_by_type: Object.fromEntries(
        [...types].map(([type, count]) => [VALUE_TYPES.get(type)!.name, count]),
      ),
    }));
    return 0;
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error;
    console.error(`stopped after ${countOf(counts.keys, "key")}; the same command starts over`);
    return stop.code;
  } finally {
    target?.close();
  }
}
