/**
 * When keys expire: as many as there are, by a checksum of their names.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ExpiryTimes } from "../../../../src/import/stream/expiry_times.ts";

const ENCODER = new TextEncoder();

Deno.test("the time of each of many keys is found, at most a second early; no other key has one", () => {
  const times = new ExpiryTimes();
  const nowMs = Date.now();
  const set = (database: number, name: string, ms: number) => {
    const bytes = ENCODER.encode(`<${name}>`);
    times.set(database, bytes, 1, bytes.length - 1, ms);
  };
  const of = (database: number, name: string) => {
    const bytes = ENCODER.encode(name);
    return times.of(database, bytes, 0, bytes.length);
  };
  assertEquals([times.isEmpty, of(0, "a")], [true, 0]);
  set(0, "a", 0);
  assertEquals(times.isEmpty, true);
  const count = 20_000;
  for (let i = 0; i < count; i++) set(i % 2, `key:${i}`, nowMs + i * 1000);
  for (let i = 0; i < count; i++) {
    assertEquals(of(i % 2, `key:${i}`), Math.floor((nowMs + i * 1000) / 1000) * 1000);
    assertEquals(of(1 - i % 2, `key:${i}`), 0);
  }
  // Other times, none, and so many more that what has none is forgotten.
  for (let i = 0; i < count; i++) set(i % 2, `key:${i}`, i % 3 === 0 ? 0 : 5_000_000_000_000);
  for (let i = 0; i < count; i++) set(7, `more:${i}`, nowMs);
  for (let i = 0; i < count; i++) {
    // What Redis allows may be later than 32 bits of seconds say.
    assertEquals(of(i % 2, `key:${i}`), i % 3 === 0 ? 0 : 4_294_967_295_000);
  }
  times.clear();
  assertEquals([times.isEmpty, of(7, "more:1")], [true, 0]);
});
