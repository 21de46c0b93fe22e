/**
 * Tells the dashboards of other products how this one is: the dashboard that leads writes it into the store.
 *
 *     this dashboard ── every 15 s, when it has changed ──► dashboard_status ◄── GET /api/products of any other
 *
 * No dashboard asks another one, so none needs another one's token.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { repeat } from "../../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import type { Operation } from "../../coordinator/coordinator.ts";
import type { OutageEvent } from "../../model/outage_event.ts";
import { encodeProductStatus, type ProductStatus } from "../../model/product_status.ts";
import type { MonitoredView } from "../../monitor/cluster_view.ts";
import { createIfMissing, logFailure, type Store } from "../../store/store.ts";

/** Time between two looks, in milliseconds. */
const LOOK_MS = 15_000;
/** What is older is written also when it has not changed, in milliseconds. */
const UNCHANGED_MS = 60_000;
/** Figures that are never still are written with so many digits. */
const DIGITS = 2;

const log = logger("dashboard");

/** What is written, but for the time. */
type StatusFigures = Omit<ProductStatus, "at">;

/** The figures of a cluster as it was last seen. */
export function statusFigures(
  { ops, sessions, memory_bytes, proxies, groups, slots }: MonitoredView,
  outages: readonly OutageEvent[],
): Omit<StatusFigures, "url" | "version" | "slots_moving"> {
  const servers = groups.flatMap((group) => group.servers);
  return {
    requests_per_second: ops,
    clients: sessions,
    proxies: proxies.length,
    proxies_online:
      proxies.filter((proxy) => proxy.state === "online" && proxy.is_reachable).length,
    groups: groups.length,
    servers: servers.length,
    servers_up: servers.filter((server) => server.is_reachable).length,
    slots_served: slots.served,
    memory_bytes,
    errors: outages.filter(({ severity }) => severity === "error").length,
    warnings: outages.filter(({ severity }) => severity === "warning").length,
  };
}

/** See the header. */
export class StatusWriter {
  readonly #store: Store;
  readonly #figures: () => StatusFigures;
  readonly #transact: (operations: readonly Operation[]) => Promise<void>;
  readonly #timers: Timers;
  #written = "";
  #writtenAt = 0;
  #end = () => {};

  /** @param transact Writes only while this dashboard leads. */
  constructor(
    store: Store,
    figures: () => StatusFigures,
    transact: (operations: readonly Operation[]) => Promise<void>,
    timers: Timers = SYSTEM_TIMERS,
  ) {
    this.#store = store;
    this.#figures = figures;
    this.#transact = transact;
    this.#timers = timers;
  }

  /** Writes from now on: this dashboard leads. */
  start(): void {
    this.#written = "";
    const first = this.#timers.after(FIRST_MS, () => void this.#look());
    const end = repeat(LOOK_MS, () => this.#look(), this.#timers);
    this.#end = () => {
      first();
      end();
    };
  }

  /** Writes no more. */
  stop(): void {
    this.#end();
  }

  async #look(): Promise<void> {
    const now = Date.now();
    const figures = rounded(this.#figures());
    const text = JSON.stringify(figures);
    if (text === this.#written && now - this.#writtenAt < UNCHANGED_MS) return;
    try {
      const path = this.#store.paths.dashboardStatus;
      const data = encodeProductStatus({ at: now, ...figures });
      await createIfMissing(this.#store, path, data, { isLeaf: true });
      await this.#transact([{ write: path, data }]);
      this.#written = text;
      this.#writtenAt = now;
    } catch (error) {
      logFailure(
        this.#store,
        log,
        "the status of this product cannot be published for other dashboards",
        error,
      );
    }
  }
}

/** Until the first figures are known, in milliseconds. */
const FIRST_MS = 2_500;

/** So that it is not written for nothing. */
function rounded(figures: StatusFigures): StatusFigures {
  const of = (value: number) => Number(Math.round(value).toPrecision(DIGITS));
  const { requests_per_second, clients, memory_bytes } = figures;
  return {
    ...figures,
    requests_per_second: of(requests_per_second),
    clients: of(clients),
    memory_bytes: of(memory_bytes),
  };
}
