/**
 * How a dashboard is run.
 *
 * @module
 */

import type { Secret } from "../base/secret.ts";
import type { ConfirmTimes } from "../control/confirm.ts";
import type { SentinelOptions } from "../control/sentinel_options.ts";
import type { ServerAuth } from "../control/servers.ts";
import type { RunningConfig } from "../config/running.ts";
import type { MigrationOptions } from "../migration/queue.ts";
import type { LagLimits } from "../monitor/server_outages.ts";
import type { Store } from "../store/store.ts";
import type { WebhookTarget } from "./outages/webhook.ts";

type MigrationSettings = Omit<MigrationOptions, "user" | "password" | "slowestProxy">;

/** What may change while a dashboard runs. */
export interface DashboardSettings {
  /** Longest time to connect to a Redis server, in milliseconds. */
  readonly dialMs: number;
  /** How slots are moved; what is left out has a default. */
  readonly migrate?: MigrationSettings;
  /** From when on a replica is too far behind. @default the keys' defaults */
  readonly lagLimits?: LagLimits;
}

/** See the header; what is left out has a default. */
export interface DashboardOptions extends DashboardSettings {
  readonly store: Store;
  /** The kind of coordinator, for the page. */
  readonly coordinator: string;
  /** Where others reach this dashboard, `host:port`. */
  readonly addr: string;
  readonly version: string;
  readonly auth: ServerAuth;
  readonly failover: "off" | "auto";
  readonly failoverAfterMs: number;
  /** Whether a master that failed is made a replica when it is back. @default true */
  readonly failoverRejoin?: boolean;
  /** Folder for what only a failed master had. @default none */
  readonly failoverLostWritesDir?: string;
  /** How sentinels are reached and told; what is left out has a default. */
  readonly sentinels?: Partial<SentinelOptions>;
  /** Whether changes need a token. */
  readonly needsToken: boolean;
  /** What is shown to proxies that tell what clients have sent. @default nothing */
  readonly proxyToken?: Secret;
  /** Whether the entry of a Codis 2.0 dashboard is removed. */
  readonly takeOver: boolean;
  /** File of the audit trail. @default none */
  readonly auditLog?: string;
  /** Folder of the figures of a week. @default none: a restart forgets them */
  readonly historyDir?: string;
  /** Where outage events are sent. @default nowhere */
  readonly webhook?: WebhookTarget | undefined;
  /** What the configuration is kept in force by. @default it is shown nowhere, and does not change */
  readonly running?: RunningConfig | undefined;
  /** How long proxies may take to confirm. @default Codis 2.0's times */
  readonly times?: ConfirmTimes;
}
