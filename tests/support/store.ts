/**
 * Stores of one test: in a temporary folder, or on a coordinator's real server.
 *
 * @module
 */

import { parseConfig } from "../../src/config/load.ts";
import type { Coordinator } from "../../src/coordinator/coordinator.ts";
import { EmbeddedCoordinator } from "../../src/coordinator/embedded/embedded.ts";
import { fillEmptyStore } from "../../src/store/bootstrap.ts";
import { type Store, storeOf } from "../../src/store/store.ts";
import { fillProduct } from "./product.ts";
import {
  type RemoteCoordinator,
  type RemoteOptions,
  WATCHER_SESSION_MS,
} from "./remote_coordinator.ts";

/** Where a test has its stores; disposing closes what was opened. */
export interface StorePlace extends AsyncDisposable {
  /** The config.ini with which other processes open it. */
  readonly config: string;
  /** Opens one more session. */
  open(product?: string): Promise<Store>;
  /** Opens one more session, which a busy machine does not end, and fills the store as `servers = …` does. */
  openFilled(servers: string, product?: string): Promise<Store>;
}

/** A folder for an embedded coordinator; disposing removes it, too. */
export class StoreFolder implements StorePlace {
  readonly dir: string;
  readonly #coordinators: EmbeddedCoordinator[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  get config(): string {
    return `embedded_dir = ${this.dir}`;
  }

  /** Makes the folder. */
  static async make(): Promise<StoreFolder> {
    return new StoreFolder(await Deno.makeTempDir());
  }

  async open(product = "test"): Promise<Store> {
    const coordinator = await EmbeddedCoordinator.open({ dir: this.dir });
    this.#coordinators.push(coordinator);
    return storeOf(coordinator, product);
  }

  async openFilled(servers: string, product = "test"): Promise<Store> {
    const store = await this.open(product);
    await fillEmptyStore(store, parseConfig(`servers = ${servers}`, "test").config.servers);
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const coordinator of this.#coordinators) await coordinator.close();
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** An emptied server of a coordinator's. */
export class StoreServer implements StorePlace {
  readonly remote: RemoteCoordinator;
  readonly #coordinators: Coordinator[] = [];

  private constructor(remote: RemoteCoordinator) {
    this.remote = remote;
  }

  /** Empties it. */
  static async make(remote: RemoteCoordinator): Promise<StoreServer> {
    await remote.empty();
    return new StoreServer(remote);
  }

  get config(): string {
    return this.remote.config;
  }

  async open(product = "test", options: RemoteOptions = {}): Promise<Store> {
    const coordinator = await this.remote.open(options);
    this.#coordinators.push(coordinator);
    return storeOf(coordinator, product);
  }

  async openFilled(servers: string, product = "test"): Promise<Store> {
    const { coordinator } = await this.open(product, { sessionTimeoutMs: WATCHER_SESSION_MS });
    return await fillProduct(coordinator, servers, product);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const coordinator of this.#coordinators) await coordinator.close();
  }
}
