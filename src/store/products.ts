/**
 * The products that share a coordinator, and how each is.
 *
 * @module
 */

import type { ReadableTree } from "../coordinator/coordinator.ts";
import { type DashboardRecord, decodeDashboard } from "../model/dashboard.ts";
import { decodeProductStatus, type ProductStatus } from "../model/product_status.ts";
import { describeMove, loadMove } from "./moves.ts";
import { PRODUCTS_ROOT, storePaths } from "./paths.ts";
import {
  childrenIfThere,
  type ReadableStore,
  readIfThere,
  StoreError,
  withPaths,
} from "./store.ts";

/** One product, as far as it can be read. */
export interface StoredProduct {
  readonly name: string;
  /** The dashboard that leads, `host:port`; empty: none does. */
  readonly leader: string;
  /** undefined: its dashboard has never told: an older one, or Codis 2.0's. */
  readonly status: ProductStatus | undefined;
  /** Why it cannot be read; empty: it can. */
  readonly problem: string;
}

/** Products that are read at most. */
const PRODUCTS_MAX = 500;
const PREFIX = "db_";

/**
 * Reads all products, by name.
 *
 * @returns How many there are, and the first ones.
 * @throws When the coordinator cannot be reached.
 */
export async function loadProducts(
  coordinator: ReadableTree,
): Promise<{ total: number; products: readonly StoredProduct[] }> {
  const names = (await childrenIfThere({ coordinator }, PRODUCTS_ROOT))
    .filter((name) => name.startsWith(PREFIX) && name !== PREFIX)
    .map((name) => name.slice(PREFIX.length)).sort();
  const shown = names.slice(0, PRODUCTS_MAX);
  const products = await withPaths(shown, (name) => loadProduct(coordinator, name));
  return { total: names.length, products };
}

/**
 * The dashboard that leads a product; `undefined` while none does.
 *
 * @throws {RecordError} When what is stored is not a dashboard.
 */
export async function loadDashboard(
  store: Pick<ReadableStore, "coordinator" | "paths">,
): Promise<DashboardRecord | undefined> {
  const json = await readIfThere(store, store.paths.dashboard);
  return json === undefined ? undefined : decodeDashboard(json);
}

async function loadProduct(coordinator: ReadableTree, name: string): Promise<StoredProduct> {
  const paths = storePaths(name);
  try {
    const move = await loadMove({ coordinator, product: name, paths });
    if (move?.kind === "moved") throw new StoreError(describeMove(name, move));
    const [dashboard, status] = await Promise.all([
      loadDashboard({ coordinator, paths }),
      readIfThere({ coordinator }, paths.dashboardStatus),
    ]);
    return {
      name,
      leader: dashboard?.addr ?? "",
      status: status === undefined ? undefined : decodeProductStatus(status),
      problem: "",
    };
  } catch (error) {
    return { name, leader: "", status: undefined, problem: (error as Error).message };
  }
}
