/**
 * How far an import is behind.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { LagMeter } from "../../../src/import/lag_meter.ts";

Deno.test("what is missing counts from the first sighting on, until it is stored", () => {
  const meter = new LagMeter();
  meter.saw(100, 1_000);
  assertEquals(meter.lag(40, 1_000), { bytes: 60, ms: 0 });
  meter.saw(150, 2_000);
  assertEquals(meter.lag(40, 2_500), { bytes: 110, ms: 1_500 });
  assertEquals(meter.lag(100, 2_500), { bytes: 50, ms: 500 });
  assertEquals(meter.lag(150, 2_500), { bytes: 0, ms: 0 });
});

Deno.test("offsets of another history say nothing", () => {
  const meter = new LagMeter();
  meter.saw(1_000, 0);
  meter.clear();
  assertEquals(meter.lag(5, 10), { bytes: 0, ms: 0 });
});
