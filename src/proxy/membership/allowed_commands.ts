/**
 * Follows the commands that an operator lets through, as the store has them.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import type { AllowedCommand } from "../../model/allowed_command.ts";
import { decodeAllowedCommands } from "../../model/allowed_command.ts";
import { RecordError } from "../../model/record.ts";
import { watchAllowedCommands } from "../../store/allowed_commands.ts";
import type { Store } from "../../store/store.ts";

const log = logger("proxy");

/**
 * Calls `changed` with what is stored now, and again whenever that changes, until the coordinator is closed.
 *
 * @returns Resolves when it was called for the first time.
 */
export function followAllowedCommands(
  store: Store,
  changed: (commands: readonly AllowedCommand[]) => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  (async () => {
    for await (const entry of watchAllowedCommands(store)) {
      try {
        changed(entry === undefined ? [] : decodeAllowedCommands(entry.data));
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        log.error("commands that are allowed stay as they were: {error}", { error });
      }
      resolve();
    }
    resolve();
  })();
  return promise;
}
