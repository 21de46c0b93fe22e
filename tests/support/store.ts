/**
 * Stores in temporary folders.
 *
 * @module
 */

import { parseConfig } from "../../src/config/config.ts";
import { EmbeddedCoordinator } from "../../src/coordinator/embedded.ts";
import { fillEmptyStore } from "../../src/store/bootstrap.ts";
import { type Store, storeOf } from "../../src/store/store.ts";

/** A folder for an embedded coordinator; disposing removes it and closes what was opened on it. */
export class StoreFolder implements AsyncDisposable {
  readonly dir: string;
  readonly #coordinators: EmbeddedCoordinator[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** Makes the folder. */
  static async make(): Promise<StoreFolder> {
    return new StoreFolder(await Deno.makeTempDir());
  }

  /** Opens one more session on it. */
  async open(product = "test"): Promise<Store> {
    const coordinator = await EmbeddedCoordinator.open({ dir: this.dir });
    this.#coordinators.push(coordinator);
    return storeOf(coordinator, product);
  }

  /** Opens one more session, and fills the store as `servers = …` does. */
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
