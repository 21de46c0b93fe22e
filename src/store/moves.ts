/**
 * Where a product is that has gone to another coordinator: a note in its old store, and in the new one until
 * all of it is there.
 *
 *     old:  move = moved to …       nobody leads, or is set online, there any more; who works there goes on to …
 *     new:  move = arriving from …  nobody leads, or is set online, there yet
 *
 * Who comes to serve or to lead reads the note after what it has written itself (the fence, the epoch); who moves
 * the product writes the note before it reads those. So one of the two always sees the other.
 *
 * @module
 */

import { BadVersionError, NoNodeError } from "../coordinator/errors.ts";
import type { Config } from "../config/config.ts";
import { decodeProductMove, type ProductMove, type StoreAddress } from "../model/product_move.ts";
import {
  createIfMissing,
  LEAF,
  type ReadableStore,
  readIfThere,
  type Store,
  StoreError,
} from "./store.ts";

/** Reads the note of a store; `undefined`: the product is there and nowhere else. */
export async function loadMove(store: ReadableStore): Promise<ProductMove | undefined> {
  const json = await readIfThere(store, store.paths.move);
  return json === undefined ? undefined : decodeProductMove(json);
}

/**
 * Checks that the product is in a store, and all of it.
 *
 * @throws {StoreError} When it has gone, or is arriving.
 */
export async function checkIsHere(store: ReadableStore): Promise<void> {
  const move = await loadMove(store);
  if (move !== undefined) throw new StoreError(describeMove(store.product, move));
}

/** What a note says, with what to do about it. */
export function describeMove(product: string, move: ProductMove): string {
  const other = storeText(move);
  return move.kind === "moved"
    ? `product ${product} has moved to ${other}: config.ini must say ${configLines(move)}`
    : `product ${product} is being moved here from ${other}: if codis-proxy config move does not run any more, ` +
      "run it again";
}

/** A store in words. */
export function storeText({ coordinator, place }: StoreAddress): string {
  return `${coordinator} ${place}`;
}

/** The lines of config.ini that lead to a store, on one line. */
export function configLines(address: StoreAddress): string {
  return Object.entries(storeKeys(address)).map(([key, value]) => `"${key} = ${value}"`)
    .join(" and ");
}

/** The keys of config.ini that lead to a store. */
export function storeKeys({ coordinator, place }: StoreAddress): Record<string, string> {
  return { coordinator, [coordinator === "embedded" ? "embedded_dir" : "zk"]: place };
}

/** The store that a config leads to, with the folder of an embedded one in full. */
export function storeAddress(
  { coordinator, coordinatorEndpoints, embeddedDir }: Config,
): StoreAddress {
  return {
    coordinator,
    place: coordinator === "embedded" ? fullPath(embeddedDir) : coordinatorEndpoints.join(","),
  };
}

/** Whether two are the same store, as far as their names tell. */
export function isSameStore(a: StoreAddress, b: StoreAddress): boolean {
  return a.coordinator === b.coordinator && a.place === b.place;
}

function fullPath(dir: string): string {
  try {
    return Deno.realPathSync(dir);
  } catch {
    // It is made when it is opened.
    return dir.startsWith("/") ? dir : `${Deno.cwd()}/${dir.replace(/^\.\//, "")}`;
  }
}

/**
 * How far actions were numbered before the product came to a store. It grows with each move, so it tells one store
 * of the product from another, also one that the product has come back to.
 */
export async function loadActionsBefore(store: ReadableStore): Promise<number> {
  return Number(await readIfThere(store, store.paths.actionsBefore) ?? 0);
}

/**
 * The same after a store was set back to an older copy, in which actions have lower numbers: notes there how far
 * they were numbered, unless another proxy has noted as much.
 *
 * @param least The lowest number that is right.
 */
export async function raiseActionsBefore(store: Store, least: number): Promise<void> {
  const { coordinator, paths } = store;
  for (;;) {
    try {
      const { data, version } = await coordinator.read(paths.actionsBefore);
      if (Number(data) < least) await coordinator.write(paths.actionsBefore, `${least}`, version);
      return;
    } catch (error) {
      if (error instanceof BadVersionError) continue;
      if (!(error instanceof NoNodeError)) throw error;
    }
    if (least <= 0) return;
    if (await createIfMissing(store, paths.actionsBefore, `${least}`, LEAF)) return;
  }
}
