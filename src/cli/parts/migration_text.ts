/**
 * The progress of migrations, and what keeps them waiting, in one line of text.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type { MigrationTotals } from "../../api/cluster_view.ts";
import { formatBytes } from "../../base/byte_size.ts";

/** Longer times are shown in minutes. */
const SECONDS_MAX = 120;

/** `300 keys (1.2 MB) moved, 90 left, 10 keys/s, 4.0 KB/s, 9 s to go`. */
export function describeTotals(totals: MigrationTotals): string {
  const { keys_moved, keys_left, bytes_moved, keys_per_second, bytes_per_second } = totals;
  const bytes = bytes_moved === null ? "" : ` (${formatBytes(bytes_moved)})`;
  const parts = [`${countOf(keys_moved, "key")}${bytes} moved`];
  if (keys_left !== null) parts.push(`${keys_left} left`);
  if (keys_per_second !== null) parts.push(`${Math.round(keys_per_second)} keys/s`);
  if (bytes_per_second !== null) parts.push(`${formatBytes(bytes_per_second)}/s`);
  if (totals.eta_seconds !== null) parts.push(`${spanOf(totals.eta_seconds)} to go`);
  return parts.join(", ");
}

/** `90 s`, or minutes when it is long. */
export function spanOf(seconds: number): string {
  return seconds <= SECONDS_MAX ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** Why nothing can be changed: the proxy at this address may be serving, and would not hear of it. */
export function deadFenceText(addr: string): string {
  return `proxy ${addr} has a fence and is not online; set it online, or, if its process is gone, run ` +
    "`codis-proxy config action remove-fence`";
}
