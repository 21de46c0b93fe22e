/**
 * The route that has this process read its configuration again.
 *
 * @module
 */

import { reloadAnswer } from "../../config/config_view.ts";
import { changeText } from "../../config/difference.ts";
import { ConfigError } from "../../config/error.ts";
import { RELOAD_BY_API } from "../audit/own_notes.ts";
import { runningOf } from "./config.ts";
import { type ApiRoute, type Call, changeHere } from "./route.ts";

/** See the header. */
export const RELOAD_ROUTES: readonly ApiRoute[] = [
  changeHere("POST", "/api/reload", reload, "admin"),
];

async function reload({ dashboard, url, who, note }: Call): Promise<unknown> {
  const isDryRun = note.isDryRun = url.searchParams.get("dry_run") === "yes";
  const outcome = await runningOf(dashboard).reload(`${RELOAD_BY_API} by ${who.name}`, isDryRun)
    .catch((error) => {
      throw new ConfigError((error as Error).message);
    });
  note.arguments = outcome.changed.map(changeText).join(", ");
  return reloadAnswer(outcome, isDryRun);
}
