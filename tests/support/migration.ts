/**
 * A product of two groups or more, and the queue that moves its slots, for tests of migration.
 *
 * @module
 */

import { Secret } from "../../src/base/secret.ts";
import { type MigrationOptions, MigrationQueue } from "../../src/migration/queue.ts";
import { loadMigrateTasks } from "../../src/store/migrate_tasks.ts";
import { loadSlot } from "../../src/store/slots.ts";
import type { Store } from "../../src/store/store.ts";
import { until } from "./deadline.ts";
import { ProxyProcess } from "./proxy_process.ts";
import { ScriptedControl, type ScriptedControlOptions } from "./scripted_control.ts";
import { StoreFolder } from "./store.ts";

/** Rests that a test has the patience for. */
const RETRY = { firstMs: 50, maxMs: 200 };

/** How migrations are run, and how the control plane deviates from the rule. */
export type MigrationTestOptions =
  & Partial<Omit<MigrationOptions, "password">>
  & ScriptedControlOptions;

/** A queue at work on a store of its own; disposing ends both. */
export class Migration implements AsyncDisposable {
  readonly control: ScriptedControl;
  readonly queue: MigrationQueue;
  readonly folder: StoreFolder;

  private constructor(folder: StoreFolder, control: ScriptedControl, queue: MigrationQueue) {
    this.folder = folder;
    this.control = control;
    this.queue = queue;
  }

  /** Makes a store with one group for each server, slots spread evenly; the queue is not started. */
  static async make(
    servers: readonly { readonly addr: string }[],
    options: MigrationTestOptions = {},
  ): Promise<Migration> {
    const folder = await StoreFolder.make();
    const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
    const control = new ScriptedControl(store, options);
    return new Migration(folder, control, newQueue(control, options));
  }

  /** As {@linkcode Migration.make}, with the queue started. */
  static async start(
    servers: readonly { readonly addr: string }[],
    options: MigrationTestOptions = {},
  ): Promise<Migration> {
    const migration = await Migration.make(servers, options);
    await migration.queue.start();
    return migration;
  }

  get store(): Store {
    return this.control.store;
  }

  /** Starts a proxy of the product, which follows the dashboard at `dashboardAddr`. */
  startProxy(dashboardAddr: string, id: string): Promise<ProxyProcess> {
    const config = {
      embedded_dir: this.folder.dir,
      dashboard_addr: dashboardAddr,
      proxy_id: id,
    };
    return ProxyProcess.start({ config });
  }

  /** Waits until no task is left, neither in the store nor in the queue. */
  async done(ms?: number): Promise<void> {
    try {
      await until(
        async () =>
          this.queue.views().length === 0 && (await loadMigrateTasks(this.store)).length === 0,
        ms,
      );
    } catch (error) {
      const views = JSON.stringify(this.queue.views().slice(0, 20));
      const told = [...this.control.events, ...this.control.changes.slice(-30)].join("\n");
      throw new Error(`${(error as Error).message}\n${views}\n${told}`);
    }
  }

  /** Where a slot is, in few words: `online 2`, `migrate 1>2`. */
  async slot(slotId: number): Promise<string> {
    const { group_id, state: { status, migrate_status: { from, to } } } = await loadSlot(
      this.store,
      slotId,
    );
    return from === -1 ? `${status} ${group_id}` : `${status} ${from}>${to} in ${group_id}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.queue.stop();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** A queue with a test's patience. */
export function newQueue(
  control: ScriptedControl,
  options: MigrationTestOptions = {},
): MigrationQueue {
  const password = new Secret(options.password ?? "");
  return new MigrationQueue(control, { user: "", retry: RETRY, ...options, password });
}
