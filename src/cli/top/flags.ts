/**
 * The flags that only `top` has.
 *
 * @module
 */

import type { Flag } from "../parts/subcommand.ts";

/** One screen instead of many. */
export const ONE_SCREEN: Flag = {
  name: "once",
  value: "",
  default: "",
  help: "print one screen as text and end, as without a terminal",
};

/** One screen's data. */
export const JSON_SWITCH: Flag = {
  name: "json",
  value: "",
  default: "",
  help: "print what a screen shows as JSON and end",
};
