/**
 * Routes of the commands that an operator lets through to the servers.
 *
 * @module
 */

import { findByName } from "../../command/command_table.ts";
import { allowCommand, disallowCommand } from "../../control/allowed_commands.ts";
import { InputError } from "../../control/errors.ts";
import { ALLOWED_WAYS, isAllowedWay, storedCommandName } from "../../model/allowed_command.ts";
import { loadAllowedCommands } from "../../store/allowed_commands.ts";
import { onlyFields, readBody } from "../input.ts";
import { type ApiRoute, change, read } from "./route.ts";

/** See the header. */
export const COMMAND_ROUTES: readonly ApiRoute[] = [
  read("/api/commands/allowed", ({ dashboard }) => loadAllowedCommands(dashboard.store)),
  change("POST", "/api/commands/allowed", async ({ dashboard, request }) => {
    const body = onlyFields(await readBody(request), "name", "way");
    const way = body["way"];
    if (typeof way !== "string" || !isAllowedWay(way)) {
      throw new InputError("way", ALLOWED_WAYS, way);
    }
    const name = nameIn(body["name"]);
    if (findByName(name) !== undefined) {
      throw new InputError(
        "name",
        "a command that only the servers know: what is done with this one is in docs/commands.md",
        body["name"],
      );
    }
    await allowCommand(dashboard, { name, way });
  }, "admin"),
  change("DELETE", "/api/commands/allowed/:name", async ({ dashboard, words }) => {
    await disallowCommand(dashboard, nameIn(words.name));
  }, "admin"),
];

function nameIn(value: unknown): string {
  const name = typeof value === "string" ? storedCommandName(value) : "";
  if (name === "") throw new InputError("name", "the name of a Redis command", value);
  return name;
}
