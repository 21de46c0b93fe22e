/**
 * How the page writes figures.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  ago,
  bytes,
  clockTime,
  counted,
  duration,
  millis,
  peerUrl,
  short,
  slotRange,
  whole,
} from "../../../../src/dashboard/page/format.js";

const plain = (text: string) => text.replaceAll("\u202f", " ");

Deno.test("numbers are grouped, shortened and dashed where they are not known", () => {
  assertEquals([0, 999, 1000, 1234567.6].map(whole).map(plain), ["0", "999", "1 000", "1 234 568"]);
  assertEquals([9999, 10_000, 123_456, 56_100_000].map(short).map(plain), [
    "9 999",
    "10.0k",
    "123k",
    "56.1M",
  ]);
  assertEquals([whole(null), short(null), bytes(null), duration(null), millis(null)], [
    "–",
    "–",
    "–",
    "–",
    "–",
  ]);
});

Deno.test("sizes take the unit that leaves three digits", () => {
  assertEquals([0, 1023, 1024, 1_610_612_736, 147_102_000_000].map(bytes).map(plain), [
    "0 B",
    "1023 B",
    "1.00 KB",
    "1.50 GB",
    "137 GB",
  ]);
});

Deno.test("times take the units that count", () => {
  assertEquals([0.421, 12.34, 250, 1204].map(millis).map(plain), [
    "0.42 ms",
    "12.3 ms",
    "250 ms",
    "1.20 s",
  ]);
  assertEquals([0, 59, 61, 3_700, 90_000].map(duration).map(plain), [
    "0 s",
    "59 s",
    "1 min 1 s",
    "1 h 1 min",
    "1 d 1 h",
  ]);
  assertEquals(plain(ago(1_000, 6_000)), "5 s ago");
  assertEquals(ago(1_000, 1_400), "just now");
});

Deno.test("a time of another day says which", () => {
  const now = new Date(2026, 10, 24, 12, 0, 0).getTime();
  assertEquals(clockTime(new Date(2026, 10, 24, 9, 5, 7).getTime(), now), "09:05:07");
  assertEquals(clockTime(new Date(2026, 10, 23, 9, 5, 7).getTime(), now), "2026-11-23 09:05:07");
});

Deno.test("things are counted in the right number", () => {
  assertEquals([counted(1, "slot"), counted(2, "slot"), counted(2, "proxy", "proxies")], [
    "1 slot",
    "2 slots",
    "2 proxies",
  ]);
  assertEquals([slotRange(5, 5), slotRange(5, 9)], ["slot 5", "slots 5–9"]);
});

Deno.test("the page leads to other processes of the product as it was reached itself", () => {
  assertEquals(peerUrl("h:1", "/admin", { protocol: "https:" }), "https://h:1/admin");
});
