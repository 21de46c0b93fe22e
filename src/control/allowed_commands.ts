/**
 * Operations on the commands that an operator lets through to the servers. Every proxy watches them.
 *
 * @module
 */

import {
  ALLOWED_COMMANDS_MAX,
  type AllowedCommand,
  encodeAllowedCommands,
  shownCommandName,
} from "../model/allowed_command.ts";
import { loadAllowedCommands } from "../store/allowed_commands.ts";
import { withLock } from "../store/lock.ts";
import { StoreError } from "../store/store.ts";
import type { Control } from "./control.ts";

/**
 * Lets a command through, or changes how it is sent.
 *
 * @throws {StoreError} When there are too many.
 */
export async function allowCommand(control: Control, command: AllowedCommand): Promise<void> {
  await withLock(control.store, `allow command ${command.name}`, async () => {
    const others = (await loadAllowedCommands(control.store)).filter(({ name }) =>
      name !== command.name
    );
    if (others.length >= ALLOWED_COMMANDS_MAX) {
      throw new StoreError(
        `${ALLOWED_COMMANDS_MAX} commands are allowed already: remove one first`,
      );
    }
    await save(control, `command ${shownCommandName(command.name)} allowed`, [...others, command]);
  });
}

/**
 * Lets a command through no longer.
 *
 * @throws {StoreError} When it is not allowed.
 */
export async function disallowCommand(control: Control, name: string): Promise<void> {
  await withLock(control.store, `remove command ${name}`, async () => {
    const allowed = await loadAllowedCommands(control.store);
    const others = allowed.filter((command) => command.name !== name);
    if (others.length === allowed.length) {
      throw new StoreError(`no command ${shownCommandName(name)} was allowed: nothing to remove`);
    }
    await save(control, `command ${shownCommandName(name)} not allowed any more`, others);
  });
}

function save(
  control: Control,
  summary: string,
  commands: readonly AllowedCommand[],
): Promise<void> {
  const sorted = commands.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const path = control.store.paths.allowedCommands;
  const writes = [{ path, data: encodeAllowedCommands(sorted) }];
  return control.change({ summary, writes, announcements: [] });
}
