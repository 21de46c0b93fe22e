/**
 * Routes of actions, the messages that proxies confirm.
 *
 * @module
 */

import { removeActionsBefore, removeOldActions } from "../../control/actions.ts";
import { InputError } from "../../control/errors.ts";
import { integerOfText } from "../input.ts";
import { type ApiRoute, type Call, changeByGet } from "./route.ts";

/** Most actions, and most seconds, that a clean-up may keep. */
const KEEP_MAX = 1_000_000_000;

/** See the header. */
export const ACTION_ROUTES: readonly ApiRoute[] = changeByGet("/api/action/gc", removeActions);

async function removeActions({ dashboard, url }: Call): Promise<void> {
  const [keep, secs] = [url.searchParams.get("keep"), url.searchParams.get("secs")];
  // A negative keep is how Codis 2.0's own commands say that secs is meant.
  if (secs !== null && (keep === null || keep.startsWith("-"))) {
    const seconds = integerOfText("secs", secs, 0, KEEP_MAX);
    await removeActionsBefore(dashboard.store, seconds);
  } else if (keep !== null) {
    await removeOldActions(dashboard.store, integerOfText("keep", keep, 0, KEEP_MAX));
  } else {
    throw new InputError("keep", "given, or secs", undefined);
  }
}
