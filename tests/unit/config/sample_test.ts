/**
 * Holds the shipped config.ini and docs/configuration.md equal to the table of keys.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { parseConfig } from "../../../src/config/load.ts";
import { CONFIG_KEYS } from "../../../src/config/keys.ts";
import { formatSampleConfig, replaceConfigTable } from "../../../src/config/sample.ts";

const TOP = new URL("../../../", import.meta.url);

Deno.test("config.ini is what `deno task gen:config` writes", async () => {
  assertEquals(await Deno.readTextFile(new URL("config.ini", TOP)), formatSampleConfig());
});

Deno.test("docs/configuration.md holds the table that `deno task gen:config` writes", async () => {
  const document = await Deno.readTextFile(new URL("docs/configuration.md", TOP));
  assertEquals(replaceConfigTable(document), document);
});

Deno.test("config.ini sets nothing but defaults and the servers", () => {
  const sample = parseConfig(formatSampleConfig(), "config.ini");
  const initial = parseConfig("servers = 127.0.0.1:6379", "config.ini");
  assertEquals(sample.config, initial.config);
  assertEquals(sample.warnings, []);
});

Deno.test("config.ini shows every key", () => {
  const sample = formatSampleConfig();
  for (const row of CONFIG_KEYS) {
    assertEquals(sample.match(new RegExp(`^(# )?${row.key} =`, "gm"))?.length, 1, row.key);
  }
});
