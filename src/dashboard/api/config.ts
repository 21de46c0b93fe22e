/**
 * The route of this process's own configuration. It is not of the cluster: a dashboard that stands by answers, too.
 *
 * @module
 */

import { configView } from "../../config/config_view.ts";
import type { RunningConfig } from "../../config/running.ts";
import { StoreError } from "../../store/store.ts";
import { type ApiRoute, type Call, read } from "./route.ts";

/** See the header. What the files are called, and who may log in, is not for everybody. */
export const CONFIG_ROUTES: readonly ApiRoute[] = [read("/api/config", config, "operator")];

function config({ dashboard }: Call): Promise<unknown> {
  const { version } = dashboard;
  return Promise.resolve(configView(runningOf(dashboard), { process: "dashboard", version }));
}

/** @throws {StoreError} When this dashboard has no configuration. */
export function runningOf({ running }: Call["dashboard"]): RunningConfig {
  if (running !== undefined) return running;
  throw new StoreError("this dashboard runs without a config file");
}
