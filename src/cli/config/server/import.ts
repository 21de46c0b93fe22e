/**
 * The command `config server import`: groups, servers and slots from twemproxy or another Codis.
 *
 *     *.yml ─► pool ──────────────► one group for each server ─┐
 *                                                              ├─► plan ─► shown ─► API, step by step
 *     *.ini, *.toml ─► its store, read ───► the same groups ───┘
 *
 * @module
 */

import { countOf } from "../../../base/count_of.ts";
import { fileReason } from "../../../base/file_fault.ts";
import type { DashboardClient } from "../../../api/dashboard_client.ts";
import { DashboardError } from "../../../api/dashboard_errors.ts";
import type { Config } from "../../../config/config.ts";
import { isEmptyStore, loadEtcd2Store } from "../../../store/etcd2.ts";
import { loadGroups } from "../../../store/groups.ts";
import { loadDashboard } from "../../../store/products.ts";
import { loadProxies } from "../../../store/proxies.ts";
import { loadSlots } from "../../../store/slots.ts";
import type { ReadableStore } from "../../../store/store.ts";
import {
  type Argument,
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
  UsageError,
} from "../../parts/subcommand.ts";
import type { ConfigRow } from "../../parts/config_command.ts";
import { ImportError, type ImportPlan, planGroups, planPool, planSlots } from "./import_plan.ts";
import type { CommandOutput } from "../../parts/output.ts";
import { Progress } from "../../parts/progress.ts";
import { type CommandContext, loadOtherStore } from "../../parts/context.ts";
import { formatRange, formatTable } from "../../parts/table.ts";
import { readCodis3 } from "./codis3_product.ts";
import { readPool } from "./twemproxy_pool.ts";

const KINDS = { yml: "pool", yaml: "pool", ini: "codis", toml: "codis3" } as const;

const FILE: Argument<{ readonly name: string; readonly kind: "pool" | "codis" | "codis3" }> = {
  name: "file",
  help:
    "a twemproxy config (*.yml, *.yaml), the config.ini of another Codis (*.ini), or the dashboard.toml " +
    "of a Codis 3.2 (*.toml)",
  isFile: true,
  parse: (name) => {
    const ending = /\.(ya?ml|ini|toml)$/i.exec(name)?.[1]?.toLowerCase();
    if (ending !== undefined) return { name, kind: KINDS[ending as keyof typeof KINDS] };
    const missing = whyNoFile(name);
    if (missing !== undefined) throw new SyntaxError(`${name} cannot be read: ${missing}`);
    throw new SyntaxError(
      `"${name}" is neither *.yml or *.yaml (twemproxy) nor *.ini or *.toml (Codis)`,
    );
  },
};

/** Why a file cannot be read; `undefined`: no reason is known. */
function whyNoFile(name: string): string | undefined {
  try {
    return Deno.statSync(name).isDirectory ? "it is a folder" : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no such file";
    return (error as Error).message;
  }
}

const POOL: Flag<string> = {
  name: "pool",
  value: "name",
  default: "",
  help: "the pool to import, when a twemproxy config has several",
};

const SLOTS: Flag = {
  name: "slots",
  value: "",
  default: "",
  help: "also assign the slots to the groups that own them in the other Codis; implied for *.toml",
};

const DRY_RUN: Flag = {
  name: "dry-run",
  value: "",
  default: "",
  help: "show what would be done, and change nothing",
};

/** Codis 2.0's error when no group or slot was ever stored. */
const NOTHING_YET = "node does not exist";

/** See the header. */
export const importRow: ConfigRow = {
  name: "import",
  summary: "Create the groups and servers of a twemproxy pool or of another Codis.",
  details:
    "Groups and servers that exist already stay unchanged, so an import that has failed can be " +
    "repeated.\nNo keys are copied: the servers keep their data. Of a Codis 3.2, whose proxies may go on serving, " +
    "groups, replicas, zones and slots are taken over.",
  arguments: [FILE],
  flags: [POOL, SLOTS, DRY_RUN],
  run: runImport,
};

async function runImport(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const { name, kind } = readValue(values, FILE);
  const [pool, withSlots] = [isGiven(values, POOL), isGiven(values, SLOTS)];
  if (pool && kind !== "pool") throw new UsageError("--pool is for twemproxy configs, *.yml");
  if (withSlots && kind === "pool") {
    throw new UsageError("--slots is for configs of another Codis, *.ini");
  }
  const client = await context.client();
  const plan = kind === "pool"
    ? await poolPlan(client, name, pool ? readValue(values, POOL) : undefined)
    : kind === "codis3"
    ? await codis3Plan(client, name, isGiven(values, DRY_RUN))
    : await productPlan(client, context, name, withSlots);
  const isDryRun = isGiven(values, DRY_RUN);
  if (!isDryRun) await carryOut(client, plan);
  return { json: { dry_run: isDryRun, ...plan }, text: describePlan(plan, isDryRun) };
}

async function poolPlan(
  client: DashboardClient,
  file: string,
  poolName: string | undefined,
): Promise<ImportPlan> {
  const pool = readPool(await readFile(file), file, poolName);
  return planPool(pool, await orNone(client.groups()));
}

async function codis3Plan(
  client: DashboardClient,
  file: string,
  isDryRun: boolean,
): Promise<ImportPlan> {
  const product = await readCodis3(await readFile(file), file);
  const { groups, slots, zones, proxies } = product;
  const plan = planGroups(groups, await orNone(client.groups()), zones);
  const slotPlan = planSlots(slots, await orNone(client.slots()), plan.groups);
  const warnings = [...plan.warnings, ...product.warnings];
  if (product.dashboard !== undefined) {
    const running =
      `Codis 3.2's dashboard runs at ${product.dashboard}, where it could move slots and ` +
      "promote servers, of which nothing is seen here: stop it first; its proxies serve without it";
    if (!isDryRun) throw new ImportError(running);
    warnings.push(running);
  }
  return { ...plan, ...slotPlan, fences: proxies, warnings };
}

async function productPlan(
  client: DashboardClient,
  context: CommandContext,
  file: string,
  withSlots: boolean,
): Promise<ImportPlan> {
  const config = await loadOtherStore(file);
  const old = await loadEtcd2Store(config);
  const isOld = old !== undefined && await isReadThere(config, old, client, context);
  // Refuses a Codis 2.0 dashboard: it writes the keys that are read here, so all would exist already.
  if (isOld) await client.cluster();
  const store = isOld ? old : await context.openStore(config);
  if (await isEmptyStore(store)) {
    throw new ImportError(`${file}: nothing is stored there for product ${config.product}`);
  }
  const groups = planGroups(await loadGroups(store), await orNone(client.groups()));
  const warnings = [...groups.warnings, ...isOld ? await warningsOfEtcd2(store) : []];
  const plan = { ...groups, warnings };
  if (!withSlots) return plan;
  const slots = await orNone(client.slots());
  return { ...plan, ...planSlots(await loadSlots(store), slots, plan.groups) };
}

/**
 * Whether to read the product in the keys of etcd 2. Not when etcd 3 has one, too, unless that is the one
 * that we import into.
 */
async function isReadThere(
  config: Config,
  old: ReadableStore,
  client: DashboardClient,
  context: CommandContext,
): Promise<boolean> {
  const isHere = (other: Config) =>
    other.coordinator === "etcd" && other.product === old.product &&
    `${[...other.coordinatorEndpoints].sort()}` === `${[...config.coordinatorEndpoints].sort()}`;
  if (isHere(await context.config())) return true;
  // An etcd 2 has no keys of etcd 3: opening that store fails.
  const store = await context.openStore(config).catch(() => undefined);
  if (store === undefined || await isEmptyStore(store)) return true;
  return (await loadDashboard(store))?.addr === client.address;
}

async function warningsOfEtcd2(store: ReadableStore): Promise<string[]> {
  const proxies = (await loadProxies(store)).map(({ id, addr }) => `${id} (${addr})`);
  return [
    "read from the keys of etcd 2, where Codis 2.0 keeps its data: later changes there are not seen " +
    "here, and changes here are not seen there",
    ...proxies.length === 0 ? [] : [
      `proxies that still use the keys of etcd 2: ${
        proxies.join(", ")
      }; replace them before slots ` +
      "move or masters change",
    ],
  ];
}

/** A list of the API; empty when nothing of its kind was ever stored. */
async function orNone<T>(list: Promise<readonly T[] | null>): Promise<readonly T[]> {
  try {
    return await list ?? [];
  } catch (error) {
    if (error instanceof DashboardError && error.text.includes(NOTHING_YET)) return [];
    throw error;
  }
}

async function readFile(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${fileReason(error)}`);
  }
}

/** Carries out the steps that are not done, in an order in which each has what it needs. */
async function carryOut(client: DashboardClient, plan: ImportPlan): Promise<void> {
  const steps: { what: string; run: () => Promise<unknown> }[] = [];
  const filled = new Set(plan.servers.map(({ group_id }) => group_id));
  for (const { group_id, is_there } of plan.groups) {
    // The first server creates its group: if it is refused, no empty group remains.
    if (is_there || filled.has(group_id)) continue;
    steps.push({ what: `group ${group_id}`, run: () => client.addGroup(group_id) });
  }
  for (const { group_id, addr, type, is_there, zone } of plan.servers) {
    if (is_there) continue;
    const what = `${addr}, ${type} of group ${group_id}`;
    steps.push({ what, run: () => client.addServer(group_id, addr, type, false, zone) });
  }
  if (plan.makes_slots) steps.push({ what: "slots", run: () => client.initSlots(false) });
  for (const { from, to, group_id, is_there } of plan.slots) {
    if (is_there) continue;
    const what = `slots ${formatRange(from, to)} of group ${group_id}`;
    const request = { from, to, new_group: group_id, status: "online" } as const;
    steps.push({ what, run: () => client.setSlots(request) });
  }
  for (const addr of plan.fences ?? []) {
    steps.push({ what: `fence of ${addr}`, run: () => client.addFence(addr) });
  }
  using progress = new Progress();
  for (const [i, { what, run }] of steps.entries()) {
    progress.show(i, steps.length, what);
    try {
      await run();
    } catch (error) {
      const message = (error as Error).message;
      const advice = "the steps before it are done; run the command again to continue";
      throw new Error(`${what} (step ${i + 1} of ${steps.length}): ${message}; ${advice}`, {
        cause: error,
      });
    }
  }
}

function describePlan(plan: ImportPlan, isDryRun: boolean): string {
  const add = isDryRun ? "would be added" : "added";
  const state = (isThere: boolean) => isThere ? "exists" : add;
  const rows = [
    ...plan.servers.map(({ group_id, addr, type, is_there, zone }) => [
      ...[`group ${group_id}`, addr, zone === undefined ? type : `${type}, zone ${zone}`],
      state(is_there),
    ]),
    ...plan.groups
      .filter(({ group_id }) => !plan.servers.some((server) => server.group_id === group_id))
      .map(({ group_id, is_there }) => [`group ${group_id}`, "no servers", "", state(is_there)]),
    ...(plan.fences ?? []).map((addr) => [
      ...["fence", addr, "proxy of Codis 3.2", isDryRun ? add : "set"],
    ]),
    ...(plan.makes_slots ? [["slots", "all of them", "offline", add]] : []),
    ...plan.slots.map(({ from, to, group_id, is_there }) => [
      ...[`slots ${formatRange(from, to)}`, `group ${group_id}`, "online", state(is_there)],
    ]),
  ];
  const news = plan.servers.filter(({ is_there }) => !is_there).length;
  const sum = `${countOf(news, "server")} ${add}, ${plan.servers.length - news} exist already`;
  const warnings = plan.warnings.map((warning) => `warning: ${warning}`);
  return [...warnings, ...(rows.length === 0 ? [] : [formatTable([], rows)]), sum].join("\n");
}
