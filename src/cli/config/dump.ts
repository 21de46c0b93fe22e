/**
 * The commands `config dump` and `config restore`: a product's tree as a file, and back.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { fileReason, makeReason } from "../../base/file_fault.ts";
import { parseAddress } from "../../base/address.ts";
import { replaceFile } from "../../base/replace_file.ts";
import type { Config } from "../../config/config.ts";
import { checkWithServers } from "../../control/servers.ts";
import { rangesText } from "../../model/slot_ranges.js";
import {
  decodeDump,
  DumpError,
  dumpProduct,
  encodeDump,
  type ProductDump,
  storeOfDump,
} from "../../store/dump.ts";
import { loadTree } from "../../store/product_tree.ts";
import {
  checkUnused,
  isEmptyPlan,
  planRestore,
  type RegroupedSlot,
  type RestorePlan,
  restoreProduct,
} from "../../store/restore.ts";
import { configCommand } from "../parts/config_command.ts";
import { loginOfClients, openServer } from "../parts/redis_servers.ts";
import { type Argument, type Flag, isGiven, readValue } from "../parts/subcommand.ts";
import { formatTable, maskControls } from "../parts/table.ts";

/** Rights of the file: it has the hashes of passwords. */
const FILE_MODE = 0o600;

const TO_FILE: Argument<string> = {
  name: "file",
  help: "where to write it; without it, or with -, to standard output",
  isOptional: true,
  isFile: true,
  parse: (name) => name,
};

const FROM_FILE: Argument<string> = {
  name: "file",
  help: "what `config dump` wrote; - for standard input",
  isFile: true,
  parse: (name) => name,
};

const YES: Flag = {
  name: "yes",
  value: "",
  default: "",
  help: "restore; without this flag, the plan is only shown",
};

/** `config dump`. */
export const dumpCommand = configCommand({
  name: "dump",
  summary: "Write all that is stored for the product to a file. Needs no dashboard.",
  details:
    "No keys of the Redis servers: groups, servers, slots, tasks, rules, users, and what was noted of changes " +
    "and outages.\nThe file has the hashes of passwords; nobody else can read it. What belongs to processes " +
    "that run is left out.",
  arguments: [TO_FILE],
  run: async (values, context) => {
    const dump = await dumpProduct(await context.store());
    const text = encodeDump(dump);
    const file = isGiven(values, TO_FILE) ? readValue(values, TO_FILE) : "-";
    if (file === "-") {
      console.log(text);
      return {};
    }
    await writeFile(file, `${text}\n`);
    const entries = dump.entries.size;
    const { product } = dump;
    return {
      json: { file, product, entries },
      text: `${maskControls(file)}: ${countOf(entries, "entry", "entries")} of product ${product}`,
    };
  },
});

/** `config restore`. */
export const restoreCommand = configCommand({
  name: "restore",
  summary:
    "Put back what `config dump` wrote: shows a plan, and with --yes does it. Needs no dashboard.",
  details:
    "All processes of the product must be stopped. The coordinator of config.ini may be another one than the " +
    "dump's.\nWhat is stored now and not in the file is deleted. Keys stay where they are: if slots have moved " +
    "since, the plan says which ones would be served by a group that does not have their keys.",
  arguments: [FROM_FILE],
  flags: [YES],
  run: async (values, context) => {
    const file = readValue(values, FROM_FILE);
    const dump = await readDump(file);
    const config = await context.config();
    checkProduct(dump, config, file);
    const isDone = isGiven(values, YES);
    const store = await context.storeToFill();
    if (!isDone) await checkUnused(store);
    const plan = isDone
      ? await restoreProduct(store, dump)
      : await planRestore(store, dump.entries);
    const { problems, silent_servers } = await problemsIn(dump, config);
    return {
      json: { done: isDone, ...jsonOf(plan), problems, silent_servers },
      text: [
        ...describePlan(plan, dump, isDone),
        ...problems.map(({ path, severity, problem }) =>
          `${severity} in the file: ${maskControls(path)}: ${maskControls(problem)}`
        ),
        ...silent_servers.length === 0
          ? []
          : [`servers that do not answer: ${silent_servers.map(maskControls).join(", ")}`],
      ].join("\n"),
    };
  },
});

/** What is wrong with what a dump has, checked against what its servers answer. */
async function problemsIn(dump: ProductDump, config: Config) {
  const tree = await loadTree(storeOfDump(dump));
  const open = (addr: string) => openServer(config, parseAddress(addr));
  return await checkWithServers(tree, open, await loginOfClients(config));
}

/** @throws {DumpError} When it cannot be read, with the name of the file. */
async function readDump(file: string): Promise<ProductDump> {
  const text = await readText(file);
  try {
    return decodeDump(text);
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    throw new DumpError(`${maskControls(file)} is not what config dump writes: ${error.message}`);
  }
}

async function readText(file: string): Promise<string> {
  if (file === "-") return await new Response(Deno.stdin.readable).text();
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new DumpError(`${maskControls(file)} cannot be read: ${fileReason(error)}`);
  }
}

async function writeFile(file: string, text: string): Promise<void> {
  try {
    await replaceFile(file, text, FILE_MODE);
  } catch (error) {
    throw new DumpError(maskControls(`${file} cannot be written: ${makeReason(file, error)}`));
  }
}

/** @throws {DumpError} When the dump is another product's. */
function checkProduct({ product }: ProductDump, config: Config, file: string): void {
  if (product === config.product) return;
  throw new DumpError(
    `${maskControls(file)} has product "${
      maskControls(product)
    }", and the config's is "${config.product}"`,
  );
}

function jsonOf({ created, changed, deleted, regrouped }: RestorePlan) {
  const slots = regrouped.map(({ slotId, from, to }) => ({ slot_id: slotId, from, to }));
  return { created, changed, deleted, regrouped: slots };
}

function describePlan(plan: RestorePlan, { product, at }: ProductDump, isDone: boolean): string[] {
  const from = `product ${product} as of ${maskControls(at)}`;
  if (isEmptyPlan(plan)) return [`nothing to do: the store is as in the file, ${from}`];
  const kinds = new Map<string, { created: number; changed: number; deleted: number }>();
  for (const what of ["created", "changed", "deleted"] as const) {
    for (const path of plan[what]) {
      const kind = path.split("/")[0]!;
      if (!kinds.has(kind)) kinds.set(kind, { created: 0, changed: 0, deleted: 0 });
      kinds.get(kind)![what]++;
    }
  }
  const rows = [...kinds].sort(([a], [b]) => a < b ? -1 : 1)
    .map((
      [kind, { created, changed, deleted }],
    ) => [maskControls(kind), created, changed, deleted]);
  return [
    `${isDone ? "restored" : "to restore"}: ${from}`,
    formatTable(["ENTRIES", "CREATED", "CHANGED", "DELETED"], rows),
    ...describeRegrouped(plan.regrouped),
    ...isDone ? [] : ["nothing was changed; --yes does it"],
  ];
}

function describeRegrouped(slots: readonly RegroupedSlot[]): string[] {
  const byMove = Map.groupBy(slots, ({ from, to }) => `from group ${from} to group ${to}`);
  return [...byMove].map(([move, some]) =>
    `warning: slots ${
      rangesText(some.map(({ slotId }) => slotId))
    } go ${move}: the keys that they have in ` +
    "the first stay there"
  );
}
