/**
 * The one place that knows which coordinators there are.
 *
 * @module
 */

import { type Config, ConfigError } from "../config/config.ts";
import type { Coordinator } from "./coordinator.ts";
import { EmbeddedCoordinator } from "./embedded.ts";

/**
 * Opens the coordinator that the config names.
 *
 * @throws {ConfigError} When this program has no such coordinator.
 * @throws {CoordinatorError} When it cannot be opened.
 */
export async function openCoordinator(config: Config): Promise<Coordinator> {
  switch (config.coordinator) {
    case "embedded":
      return await EmbeddedCoordinator.open({ dir: config.embeddedDir });
    case "zookeeper":
    case "etcd":
      throw new ConfigError(
        `coordinator = ${config.coordinator} is not built in yet: use embedded`,
      );
  }
}
