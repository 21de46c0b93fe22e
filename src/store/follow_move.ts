/**
 * The store of a process that serves: when the product has gone to another coordinator, the process goes there, too.
 *
 *     note "moved" ──► the other one opened ──► all of the product is there ──► nothing keeps us ──► switched over
 *
 * Until then the process stays where it is: nothing changes there any more.
 *
 * @module
 */

import { Backoff } from "../base/backoff.ts";
import { logger } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import type { Config } from "../config/config.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { RunningConfig } from "../config/running.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { openCoordinator } from "../coordinator/open.ts";
import { SwitchingCoordinator } from "../coordinator/switching.ts";
import { decodeProductMove, type ProductMove, type StoreAddress } from "../model/product_move.ts";
import { isEmptyStore } from "./etcd2.ts";
import { configLines, isSameStore, loadMove, storeAddress, storeKeys, storeText } from "./moves.ts";
import { type Store, StoreError, storeOf } from "./store.ts";

/** From one store to the next, at the start: more than an operator ever makes. */
const HOPS_MAX = 8;
/** Time between two looks whether all is there, or nothing keeps us any more, in milliseconds. */
const LOOK_MS = 50;
/** Waits between two tries to open the other store. */
const RETRY = { firstMs: 200, maxMs: 3_000 };

const log = logger("coordinator");

/** Whose store it is. */
export interface FollowedStoreOptions {
  readonly config: Config;
  /** Where the config comes from: how to reach another store is read there. @default it stays as it is */
  readonly running?: RunningConfig | undefined;
  /** Longest session, in milliseconds. @default as the config says */
  readonly sessionMsMax?: number;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the process can go to another store now. @default always */
  readonly isFree?: () => boolean;
}

/**
 * Opens the store that the config names, or where the product has gone from there; and follows it from then on.
 *
 * @throws {ConfigError | CoordinatorError} When it cannot be opened.
 */
export async function openFollowed(options: FollowedStoreOptions): Promise<SwitchingCoordinator> {
  const { config, signal } = options;
  let here: OpenStore = {
    coordinator: await openCoordinator(limited(config, options), signal),
    use: () => {},
  };
  try {
    for (let hops = 0;; hops++) {
      const move = await loadMove(storeOf(here.coordinator, config.product));
      if (move?.kind !== "moved") break;
      if (hops === HOPS_MAX) throw new StoreError(`product ${config.product} is in no store`);
      const next = await openNext(options, move);
      await here.coordinator.close();
      here = next;
    }
  } catch (error) {
    await here.coordinator.close();
    throw error;
  }
  here.use();
  const coordinator = new SwitchingCoordinator(here.coordinator);
  follow(coordinator, options).catch((error) =>
    log.error("whether the product moves is not followed any more: {error}", { error })
  );
  return coordinator;
}

/** Another store that is open. */
interface OpenStore {
  readonly coordinator: Coordinator;
  /** How it was reached is in force from now on. */
  use(): void;
}

function limited(config: Config, { sessionMsMax = Infinity }: FollowedStoreOptions): Config {
  return { ...config, zkSessionTimeoutMs: Math.min(config.zkSessionTimeoutMs, sessionMsMax) };
}

async function openNext(options: FollowedStoreOptions, address: StoreAddress): Promise<OpenStore> {
  const { running, signal } = options;
  const loaded = await configAt(options, address);
  const coordinator = await openCoordinator(limited(loaded.config, options), signal)
    .catch((error) => {
      throw loaded.entries?.placed(error) ?? error;
    });
  return { coordinator, use: () => running?.movedTo(loaded) };
}

/** The config of this process with another store: as its file says now, or else as it was. */
async function configAt(
  { config, running }: FollowedStoreOptions,
  address: StoreAddress,
): Promise<Pick<LoadedConfig, "config"> & Partial<LoadedConfig>> {
  const lines = configLines(address);
  try {
    const found = await running?.read();
    if (found !== undefined && isSameStore(storeAddress(found.config), address)) return found;
    if (running !== undefined) {
      log.warn("{path} names another store than the product has gone to: it must say {lines}", {
        path: running.path,
        lines,
      });
      return await running.read(storeKeys(address));
    }
  } catch (error) {
    log.warn("{path} cannot be used for the other store: it must say {lines}: {error}", {
      ...{ path: running!.path, lines, error },
    });
  }
  const { coordinator, place } = address;
  const elsewhere = coordinator === "embedded"
    ? { embeddedDir: place }
    : { coordinatorEndpoints: place.split(",") };
  return { config: { ...config, coordinator, ...elsewhere } };
}

async function follow(
  coordinator: SwitchingCoordinator,
  options: FollowedStoreOptions,
): Promise<void> {
  const closed = new AbortController();
  coordinator.onState((state) => {
    if (state === "closed") closed.abort();
  });
  const { signal } = closed;
  const { paths } = storeOf(coordinator, options.config.product);
  for await (const entry of coordinator.watchData(paths.move)) {
    if (entry === undefined) continue;
    const move = decodeProductMove(entry.data);
    if (move.kind === "moved") await goTo(coordinator, move, { ...options, signal });
  }
}

async function goTo(
  coordinator: SwitchingCoordinator,
  move: ProductMove,
  options: FollowedStoreOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { isFree = () => true, signal, config: { product } } = options;
  const store = storeText(move);
  log.info("product {product} has moved to {store}: going there", { product, store });
  const backoff = new Backoff(RETRY);
  let told = "";
  while (!signal.aborted) {
    let next: OpenStore | undefined;
    try {
      next = await openNext(options, move);
      const there = storeOf(next.coordinator, product);
      while (!signal.aborted) {
        // Between the last question and the switch, nothing is waited for.
        if (isFree() && await isWhole(there) && isFree()) {
          next.use();
          await coordinator.switchTo(next.coordinator);
          return log.info("works with {store} now", { store });
        }
        await sleep(LOOK_MS, signal);
      }
      return await next.coordinator.close();
    } catch (error) {
      await next?.coordinator.close();
      // It comes again and again.
      if (`${error}` !== told) {
        log.warn("cannot go to {store} yet, what is known stays in use: {error}", { store, error });
      }
      told = `${error}`;
      await sleep(backoff.nextMs(), signal);
    }
  }
}

/**
 * Whether all of the product is in a store.
 *
 * @throws {StoreError} When nothing of it is.
 */
async function isWhole(store: Store): Promise<boolean> {
  if ((await loadMove(store))?.kind === "arriving") return false;
  if (await isEmptyStore(store)) throw new StoreError("it has neither groups nor slots");
  return true;
}
