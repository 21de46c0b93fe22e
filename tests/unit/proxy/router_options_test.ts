/**
 * What clients are shown of config.ini.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { parseConfig } from "../../../src/config/load.ts";
import { shownConfig } from "../../../src/proxy/router_options.ts";

Deno.test("CONFIG GET shows names that can be written back, and no users", () => {
  const { config } = parseConfig("user.ann=on >secret ~* +@all\n", "config.ini");
  const shown = shownConfig(config);
  assertEquals(shown.filter(([name]) => !/^[a-z][a-z0-9_-]*$/.test(name)), []);
  assertEquals(shown.filter(([, value]) => /ann|secret/.test(value)), []);
});
