/**
 * A product's tree as one document: a backup, and the way from one coordinator to another.
 *
 *     tree ─► dump ─► { "format": "codis-proxy dump", "version": 1, "product": …, "entries": { path: data } }
 *
 * Left out is what belongs to processes that run, not to the product: proxies, the dashboard, fences, locks,
 * and actions with their answers.
 *
 * @module
 */

import type { ReadableTree } from "../coordinator/coordinator.ts";
import { NoNodeError } from "../coordinator/errors.ts";
import { checkPath, childOf } from "../coordinator/path.ts";
import { isEmptyStore } from "./etcd2.ts";
import { withLock } from "./lock.ts";
import { type StorePaths, storePaths } from "./paths.ts";
import {
  childrenIfThere,
  type ReadableStore,
  readIfThere,
  type Store,
  StoreError,
  withPaths,
} from "./store.ts";

/** The word that a dump begins with. */
const FORMAT = "codis-proxy dump";
/** Counts up when a dump can no longer be read by what read the last one. */
const VERSION = 1;

/** The data of each entry by its path below the product's, such as `slots/slot_0`. */
export type DumpEntries = ReadonlyMap<string, string>;

/** What is stored for a product, without what belongs to processes that run. */
export interface ProductDump {
  readonly product: string;
  /** When it was made, in ISO 8601. */
  readonly at: string;
  readonly entries: DumpEntries;
}

/** A text that is no dump, or one that cannot be restored here; the message says why. */
export class DumpError extends Error {
  override readonly name = "DumpError";
}

/** The entries, below the product's, that no dump has, with all below them. */
export function transientPaths(paths: StorePaths): ReadonlySet<string> {
  return new Set([
    ...[paths.dashboard, paths.dashboardEpoch, paths.dashboardStatus, paths.proxies],
    ...[paths.fences, paths.actions, paths.responses, paths.lock, paths.intent],
    ...[paths.move, paths.actionsBefore],
  ]);
}

/**
 * Dumps a product, while no dashboard can change it.
 *
 * @throws {StoreError} When nothing is stored, a change is not finished, or the lock is not free.
 * @throws {CoordinatorError} When the coordinator cannot be asked.
 */
export async function dumpProduct(store: Store): Promise<ProductDump> {
  const { product, paths } = store;
  if (await isEmptyStore(store)) throw new StoreError(`nothing is stored for product ${product}`);
  return await withLock(store, "config dump", async () => {
    if (await readIfThere(store, paths.intent) !== undefined) {
      throw new StoreError(
        "a change is not finished: start codis-proxy dashboard, which finishes or undoes it, and try again",
      );
    }
    return { product, at: new Date().toISOString(), entries: await durableEntries(store) };
  });
}

/** What a dump has of a product, by the path below the product's. */
export async function durableEntries(store: ReadableStore): Promise<DumpEntries> {
  const { root } = store.paths;
  const transient = transientPaths(store.paths);
  const slots = `${store.paths.slots}/`;
  const entries = new Map<string, string>();
  let paths = [root];
  while (paths.length > 0) {
    const read = await withPaths(paths, async (path) => ({
      path,
      data: await readIfThere(store, path),
      // Most of them are slots, and nothing can be below one.
      names: path.startsWith(slots) ? [] : await childrenIfThere(store, path),
    }));
    for (const { path, data } of read) {
      // It may have been deleted between the listing and the reading.
      if (data !== undefined && path !== root) entries.set(path.slice(root.length + 1), data);
    }
    paths = read.flatMap(({ path, names }) => names.map((name) => childOf(path, name)))
      .filter((path) => !transient.has(path));
  }
  return new Map([...entries].sort(([a], [b]) => a < b ? -1 : 1));
}

/**
 * The document of a dump: JSON with a line for each entry, whose data is JSON as well if it can be told so to
 * the byte.
 */
export function encodeDump({ product, at, entries }: ProductDump): string {
  const head = JSON.stringify({ format: FORMAT, version: VERSION, product, at }).slice(0, -1);
  const lines = [...entries].map(([path, data]) =>
    `${JSON.stringify(path)}: ${JSON.stringify(shownData(data))}`
  );
  return `${head},"entries":{\n${lines.join(",\n")}\n}}`;
}

/** Data as it stands in the document: the object that it spells, or else the text. */
function shownData(data: string): unknown {
  try {
    const value = JSON.parse(data);
    if (typeof value === "object" && value !== null && JSON.stringify(value) === data) return value;
  } catch {
    // It is no JSON: shown as a text.
  }
  return data;
}

/**
 * Reads a document.
 *
 * @throws {DumpError} When it is none, or of a later version.
 */
export function decodeDump(text: string): ProductDump {
  const document = parseObject(text);
  const { format, version, product, at, entries } = document;
  if (format !== FORMAT) throw new DumpError(`"format" must be "${FORMAT}"`);
  if (version !== VERSION) {
    throw new DumpError(`its version is ${JSON.stringify(version)}; this program reads ${VERSION}`);
  }
  if (typeof product !== "string" || product === "") throw new DumpError('"product" is missing');
  if (typeof entries !== "object" || entries === null || Array.isArray(entries)) {
    throw new DumpError('"entries" must be an object');
  }
  const paths = storePaths(product);
  const transient = transientPaths(paths);
  const pieces = Object.entries(entries).map(([path, value]): [string, string] => {
    checkEntryPath(path, paths.root, transient);
    if (typeof value === "string") return [path, value];
    if (typeof value === "object" && value !== null) return [path, JSON.stringify(value)];
    throw new DumpError(`entry "${path}" must be an object or a text`);
  });
  return { product, at: typeof at === "string" ? at : "", entries: new Map(pieces) };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DumpError(`it is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== "object" || value === null) throw new DumpError("it must be an object");
  return value as Record<string, unknown>;
}

/** @throws {DumpError} When nothing may be stored there. */
function checkEntryPath(path: string, root: string, transient: ReadonlySet<string>): void {
  const isTransient = transient.has(`${root}/${path.split("/", 1)[0]}`);
  try {
    checkPath(`${root}/${path}`);
    if (!isTransient) return;
  } catch {
    // Said below.
  }
  throw new DumpError(`${JSON.stringify(path.slice(0, 200))} is no entry of a dump`);
}

/** A dump as a store that can be read: what it would be once it is restored. */
export function storeOfDump({ product, entries }: ProductDump): ReadableStore {
  const paths = storePaths(product);
  const data = new Map([[paths.root, ""]]);
  const children = new Map<string, Set<string>>();
  for (const [path, text] of entries) {
    const pieces = path.split("/");
    pieces.forEach((piece, i) => {
      const parent = [paths.root, ...pieces.slice(0, i)].join("/");
      if (!children.has(parent)) children.set(parent, new Set());
      children.get(parent)!.add(piece);
      const own = childOf(parent, piece);
      if (!data.has(own)) data.set(own, "");
    });
    data.set(`${paths.root}/${path}`, text);
  }
  const coordinator: ReadableTree = {
    read: (path) => {
      const text = data.get(path);
      return text === undefined
        ? Promise.reject(new NoNodeError(path, "read"))
        : Promise.resolve({ data: text, version: 0 });
    },
    children: (path) =>
      data.has(path)
        ? Promise.resolve([...children.get(path) ?? []].sort())
        : Promise.reject(new NoNodeError(path, "read")),
  };
  return { coordinator, product, paths };
}
