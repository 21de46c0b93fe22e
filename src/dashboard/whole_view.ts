/**
 * Everything that is known at this moment, as `GET /api/cluster` answers it and the page shows it.
 *
 * @module
 */

import type { ClusterView } from "../api/cluster_view.ts";
import { actionViews } from "../control/actions.ts";
import type { ChangeLog } from "../control/change.ts";
import type { Events } from "../control/events.ts";
import type { Publisher } from "../control/publish.ts";
import type { Sentinels } from "../control/sentinels.ts";
import type { MigrationQueue } from "../migration/queue.ts";
import { monitoredView } from "../monitor/cluster_view.ts";
import type { Monitor } from "../monitor/monitor.ts";
import type { AccessGate } from "./access/access_gate.ts";
import type { DashboardOptions } from "./dashboard_options.ts";
import type { OutageTrail } from "./outages/outage_trail.ts";

/** Actions that are shown. */
const ACTIONS_SHOWN = 20;

/** The parts of a dashboard that know something. */
export interface KnowingParts {
  readonly options: DashboardOptions;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly access: AccessGate;
  readonly monitor: Monitor;
  readonly sentinels: Sentinels;
  readonly outages: OutageTrail;
  readonly events: Events;
  readonly publisher: Publisher;
  readonly changes: ChangeLog;
  /** undefined: this dashboard does not lead. */
  readonly migrations: MigrationQueue | undefined;
}

/** See the header. */
export async function wholeView(parts: KnowingParts): Promise<ClusterView> {
  const { options, access, sentinels, outages, migrations, publisher } = parts;
  const { store, coordinator, addr, version, failover, failoverAfterMs, needsToken } = options;
  // No task that is not read yet may pass for one that is done.
  await migrations?.known;
  return {
    product: store.product,
    version,
    at: Date.now(),
    // The product may have moved to another one.
    coordinator: {
      kind: options.running?.config.coordinator ?? coordinator,
      state: store.coordinator.state,
      ...store.coordinator.writeProblem && { problem: store.coordinator.writeProblem },
    },
    dashboard: {
      addr,
      pid: Deno.pid,
      started_at: parts.startedAt,
      failover: sentinels.areThere ? "sentinel" : failover,
      failover_after_seconds: failoverAfterMs / 1000,
      needs_token: needsToken || access.records.areThere,
      has_users: access.records.hasUsers,
    },
    ...monitoredView(parts.monitor),
    ...{ sentinels: sentinels.view(), open_outages: outages.open },
    migrations: migrations?.views() ?? [],
    migration_totals: migrations?.totals ?? null,
    migrations_paused_since: migrations?.paused?.since ?? null,
    actions: await actionViews(
      store,
      (name) => publisher.confirmer.afterMs(name),
      ACTIONS_SHOWN,
    ),
    events: parts.events.newest,
    change: parts.changes.current,
  };
}
