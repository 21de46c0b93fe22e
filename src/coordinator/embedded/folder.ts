/**
 * Whether a folder has an embedded store.
 *
 * @module
 */

import { OwnerProbe } from "./owners.ts";

/** Whether a folder has no store, nor does a process live that has opened one there: the next one makes it. */
export function isUnmade(dir: string): boolean {
  if (isOnDisk(`${dir}/journal`)) return false;
  return !isOnDisk(`${dir}/owners`) || !new OwnerProbe(`${dir}/owners`).isAnyAlive();
}

function isOnDisk(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    // Whatever else it is, who opens it says so.
    return !(error instanceof Deno.errors.NotFound);
  }
}
