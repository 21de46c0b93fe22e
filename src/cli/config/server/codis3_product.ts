/**
 * Reads a product of Codis 3.2, for an import: what its dashboard.toml leads to.
 *
 *     dashboard.toml ─► ZooKeeper, etcd 2's keys, or a folder ─► /codis3/<product>/{group,slots,proxy,sentinel}
 *
 * @module
 */

import { parse } from "@std/toml/parse";
import type { Config } from "../../../config/config.ts";
import { ConfigError } from "../../../config/error.ts";
import { parseConfig } from "../../../config/load.ts";
import type { Coordinator, ReadableTree } from "../../../coordinator/coordinator.ts";
import { NoNodeError } from "../../../coordinator/errors.ts";
import { openCoordinator, readEtcd2 } from "../../../coordinator/open.ts";
import { SLOT_COUNT } from "../../../hash/slot_id.ts";
import type { GroupRecord } from "../../../model/group.ts";
import { decodeRecord, integer, listOf, optional, recordOf, text } from "../../../model/record.ts";
import { decodeSentinels } from "../../../model/sentinels.ts";
import { NO_GROUP, slotIn, type SlotRecord } from "../../../model/slot.ts";
import { childrenIfThere, readIfThere, withPaths } from "../../../store/store.ts";
import { COORDINATOR_MS } from "../../parts/context.ts";
import { ImportError } from "./import_plan.ts";

/** A product of Codis 3.2. */
export interface Codis3Product {
  readonly groups: readonly GroupRecord[];
  /** All of them; one that no group has is offline, one that moves is `migrate`. */
  readonly slots: readonly SlotRecord[];
  /** 3.2's data centers, by the server's address; of servers that are in one. */
  readonly zones: ReadonlyMap<string, string>;
  /** Where its proxies serve. */
  readonly proxies: readonly string[];
  /** Where its dashboard runs, which could move slots and promote servers unseen; undefined: nowhere. */
  readonly dashboard: string | undefined;
  /** What is not imported, one sentence each. */
  readonly warnings: readonly string[];
}

/** What is read of a dashboard.toml. */
interface DashboardToml {
  readonly coordinator: "zookeeper" | "etcd" | "filesystem";
  readonly addr: string;
  readonly auth: string;
  readonly product: string;
  readonly hasPassword: boolean;
}

const COORDINATORS: Readonly<Record<string, DashboardToml["coordinator"]>> = {
  zk: "zookeeper",
  zookeeper: "zookeeper",
  etcd: "etcd",
  fs: "filesystem",
  filesystem: "filesystem",
};

const ACTION = recordOf({ state: text });
const GROUP = recordOf({
  id: integer,
  servers: listOf(recordOf({ server: text, datacenter: text })),
  promoting: optional(ACTION),
});
const SLOT = recordOf({ id: integer, group_id: integer, action: optional(ACTION) });
const PROXY = recordOf({ proxy_addr: text, admin_addr: text });
const TOPOM = recordOf({ token: text, admin_addr: text });

/** How long its dashboard may take to say that it runs, in milliseconds. */
const DASHBOARD_MS = 3_000;

/**
 * Reads a product.
 *
 * @param toml What is in the file.
 * @param file Its name, for messages.
 * @throws {ImportError} When the file is no dashboard.toml, nothing is stored there, or a server is being
 * promoted.
 * @throws {ConfigError | CoordinatorError} When its coordinator cannot be asked.
 * @throws {RecordError} When something there cannot be read.
 */
export async function readCodis3(toml: string, file: string): Promise<Codis3Product> {
  const dashboard = readToml(toml, file);
  const root = `/codis3/${dashboard.product}`;
  const [tree, close] = await openTree(dashboard, root, file);
  try {
    return await readTree(tree, root, dashboard, file);
  } finally {
    await close();
  }
}

function readToml(toml: string, file: string): DashboardToml {
  let table: Record<string, unknown>;
  try {
    table = parse(toml);
  } catch (error) {
    throw new ImportError(`${file} is not TOML: ${(error as Error).message.split("\n")[0]}`);
  }
  const read = (name: string, isNeeded = true): string => {
    const value = table[name] ?? "";
    if (typeof value !== "string") throw new ImportError(`${file}: ${name} must be a text`);
    if (isNeeded && value === "") {
      throw new ImportError(`${file}: ${name} is missing; is it a dashboard.toml of Codis 3.2?`);
    }
    return value;
  };
  const name = read("coordinator_name");
  const coordinator = COORDINATORS[name];
  if (coordinator === undefined) {
    throw new ImportError(
      `${file}: coordinator_name "${name}" must be zookeeper, etcd or filesystem`,
    );
  }
  return {
    coordinator,
    addr: read("coordinator_addr"),
    auth: read("coordinator_auth", false),
    product: read("product_name"),
    hasPassword: read("product_auth", false) !== "",
  };
}

/** Reads lines made of a dashboard.toml; errors name the key that stands in it. */
function configOf(lines: readonly string[], file: string): Config {
  try {
    return parseConfig(lines.join("\n"), file, "control").config;
  } catch (error) {
    if (!(error instanceof ConfigError) || !error.message.startsWith(`${file}:`)) throw error;
    const what = error.message.slice(file.length).replace(/^:\d+: /, "");
    throw new ImportError(`${file}: ${what.replace(/^zk\b/, "coordinator_addr")}`);
  }
}

/** Opens a tree, and how to close it. */
async function openTree(
  { coordinator, addr, auth }: DashboardToml,
  root: string,
  file: string,
): Promise<[tree: ReadableTree, close: () => Promise<void>]> {
  if (coordinator === "filesystem") return [folderTree(`${addr}/data`), () => Promise.resolve()];
  const lines = [
    ...[`coordinator = ${coordinator}`, `zk = ${addr}`, "dashboard_addr = 127.0.0.1:18087"],
    ...auth === "" ? [] : [`coordinator_auth = ${auth}`],
  ];
  const config = configOf(lines, file);
  if (coordinator === "etcd") {
    const tree = await readEtcd2(config, [root]);
    if (tree === undefined) throw nothingThere(root, file);
    return [tree, () => Promise.resolve()];
  }
  const session: Coordinator = await openCoordinator(
    config,
    AbortSignal.timeout(COORDINATOR_MS),
  );
  return [session, () => session.close()];
}

/** The tree that Codis 3.2 keeps in files. */
function folderTree(folder: string): ReadableTree {
  const at = async <T>(path: string, read: (path: string) => Promise<T>): Promise<T> => {
    try {
      return await read(folder + path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) throw new NoNodeError(path, "read");
      throw error;
    }
  };
  return {
    read: (path) => at(path, async (at) => ({ data: await Deno.readTextFile(at), version: 0 })),
    children: (path) =>
      at(path, async (at) => (await Array.fromAsync(Deno.readDir(at))).map(({ name }) => name)),
  };
}

async function readTree(
  coordinator: ReadableTree,
  root: string,
  dashboard: DashboardToml,
  file: string,
): Promise<Codis3Product> {
  const folder = async <T>(
    name: string,
    decode: (json: string, what: string) => T,
  ): Promise<T[]> => {
    const store = { coordinator };
    const names = (await childrenIfThere(store, `${root}/${name}`)).sort();
    const texts = await withPaths(names, (each) => readIfThere(store, `${root}/${name}/${each}`));
    return texts.flatMap((json, i) =>
      json === undefined ? [] : [decode(json, `${root}/${name}/${names[i]}`)]
    );
  };
  const groups = await folder("group", (json, what) => decodeRecord(GROUP, json, what));
  if (groups.length === 0) throw nothingThere(root, file);
  const promoted = groups.find(({ promoting }) => (promoting?.state ?? "") !== "");
  if (promoted !== undefined) {
    throw new ImportError(`group ${promoted.id} promotes a server there: wait until that is done`);
  }
  const slots = await folder("slots", (json, what) => decodeRecord(SLOT, json, what));
  const proxies = await folder("proxy", (json, what) => decodeRecord(PROXY, json, what));
  const sentinels = await readIfThere({ coordinator }, `${root}/sentinel`);
  const topom = await readIfThere({ coordinator }, `${root}/topom`);
  const servers = groups.flatMap((group) => group.servers ?? []);
  return {
    proxies: proxies.map(({ proxy_addr }) => proxy_addr),
    dashboard: topom === undefined
      ? undefined
      : await runningDashboard(decodeRecord(TOPOM, topom, `${root}/topom`)),
    groups: groups.map(({ id, servers }) => groupOf(dashboard.product, id, servers ?? [])),
    slots: slotsOf(dashboard.product, slots),
    zones: new Map(
      servers.filter(({ datacenter }) => datacenter !== "").map((each) => [
        each.server,
        each.datacenter,
      ]),
    ),
    warnings: warningsOf(
      dashboard,
      sentinels === undefined ? [] : decodeSentinels(sentinels).servers,
      proxies.map(({ proxy_addr }) => proxy_addr),
    ),
  };
}

/** The address of a dashboard that runs: its entry stays when it was killed. */
async function runningDashboard(
  { token, admin_addr: addr }: ReturnType<typeof TOPOM.read>,
): Promise<string | undefined> {
  try {
    const response = await fetch(`http://${addr}/topom/model`, {
      signal: AbortSignal.timeout(DASHBOARD_MS),
    });
    const model: unknown = await response.json();
    return (model as { token?: unknown } | null)?.token === token ? addr : undefined;
  } catch {
    return undefined;
  }
}

/** The first server of a group is its master. */
function groupOf(
  product: string,
  id: number,
  servers: readonly { readonly server: string }[],
): GroupRecord {
  return {
    id,
    product_name: product,
    servers: servers.map(({ server: addr }, i) => ({
      ...{ type: i === 0 ? "master" : "slave", group_id: id, addr } as const,
    })),
  };
}

function slotsOf(product: string, stored: readonly ReturnType<typeof SLOT.read>[]): SlotRecord[] {
  const byId = new Map(stored.map((slot) => [slot.id, slot]));
  return Array.from({ length: SLOT_COUNT }, (_, id): SlotRecord => {
    const slot = byId.get(id);
    if ((slot?.action?.state ?? "") !== "") return slotIn(product, id, slot!.group_id, "migrate");
    const group = slot?.group_id ?? 0;
    return group === 0
      ? slotIn(product, id, NO_GROUP, "offline")
      : slotIn(product, id, group, "online");
  });
}

function warningsOf(
  { hasPassword }: DashboardToml,
  sentinels: readonly string[],
  proxies: readonly string[],
): string[] {
  return [
    ...proxies.length === 0 ? [] : [
      `Codis 3.2's proxies serve the same servers: ${
        proxies.join(", ")
      }; until they are stopped, and ` +
      "codis-proxy config action remove-fence was called, nothing can be changed here",
    ],
    ...sentinels.length === 0 ? [] : [
      "sentinels watch its masters; when they promote another one, its proxies follow, and nothing here does before " +
      `codis-proxy config sentinel add was run for each of ${sentinels.join(", ")}: do that now`,
    ],
    ...hasPassword ? ["product_auth is set there: set backend_password to it"] : [],
  ];
}

function nothingThere(root: string, file: string): ImportError {
  return new ImportError(`${file}: nothing is stored at ${root}`);
}
