/**
 * Finds keys that are too hot for any plan by requests: one key cannot be divided.
 *
 * @module
 */

import type { GroupLoad, HotKeyOfGroup } from "../../api/answers.ts";
import type { HotKeyEntry } from "../../api/hot_keys.ts";

/**
 * The keys that alone get more requests than a group would if all had as many.
 *
 * @param hot Of all proxies.
 * @param groups The group of each slot.
 */
export function tooHot(
  loads: readonly GroupLoad[],
  hot: readonly HotKeyEntry[],
  groups: readonly number[],
): HotKeyOfGroup[] {
  const mean = loads.reduce((sum, { ops_before }) => sum + ops_before, 0) / loads.length;
  return hot.flatMap(({ key, slot, reads_per_second, writes_per_second }) => {
    const ops = reads_per_second + writes_per_second;
    const group_id = groups[slot] ?? -1;
    const load = loads.find((each) => each.group_id === group_id);
    if (load === undefined || loads.length < 2 || ops <= mean) return [];
    const percent = Math.min(100, Math.round(100 * ops / Math.max(1, load.ops_before)));
    return [{ group_id, key, percent }];
  });
}
