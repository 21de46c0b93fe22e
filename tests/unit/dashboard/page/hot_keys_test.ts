/** How the page shows the name of a key. */

import { assertEquals } from "@std/assert";
import { sumHotKeyAnswers } from "../../../../src/api/hot_keys.ts";
import { shownKey } from "../../../../src/dashboard/page/hot_keys.js";

Deno.test("a key is shown as it is, cut where it is long, and so that no blanks are missed", () => {
  const shown = (key: string, key_bytes = key.length) => shownKey({ key, key_bytes });
  assertEquals(shown("user:1"), "user:1");
  assertEquals(shown(""), "(empty)");
  assertEquals([shown(" "), shown("a "), shown(" a b")], ['" "', '"a "', '" a b"']);
  assertEquals(shown("k".repeat(512), 10_240), `${"k".repeat(60)}… (10.2k bytes)`);
});

Deno.test("no proxy is said to look at no keys because none has answered", () => {
  const [off, on] = [false, true].map((is_on) => ({
    ...{ is_on, requests_per_second: 0, hot: [], big: [] },
  }));
  const isOn = (...answers: Parameters<typeof sumHotKeyAnswers>[0][number][]) =>
    sumHotKeyAnswers(answers).is_on;
  assertEquals([isOn(), isOn(off!), isOn(off!, on!)], [true, false, true]);
});
