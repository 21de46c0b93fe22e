/**
 * Whether requests are served, as one value that is handed on from the membership to every router.
 *
 * @module
 */

/**
 * - `serving`: requests go to the servers.
 * - `held`: requests wait, as the slot table may be out of date.
 * - `refused`: requests are answered with an error, as the slot table is out of date.
 *
 * Requests that are in flight are not touched by a change.
 */
export type Serving = "serving" | "held" | "refused";

/** Of two reasons to hold or refuse requests, the stronger. */
export function worseServing(a: Serving, b: Serving): Serving {
  if (a === "refused" || b === "refused") return "refused";
  return a === "held" || b === "held" ? "held" : "serving";
}
