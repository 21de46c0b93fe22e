import { assert, assertEquals } from "@std/assert";
import { accessLine, AccessLines } from "../../../../src/router/reports/access_lines.ts";

Deno.test("lines go out in batches, one at a time and in order", async () => {
  const batches: string[] = [];
  let isBusy = false;
  const lines = new AccessLines(async (text) => {
    assert(!isBusy);
    isBusy = true;
    await Promise.resolve();
    batches.push(text);
    isBusy = false;
    return true;
  }, { lostAccessLines: 0 });
  for (let i = 0; i < 10; i++) lines.add(() => `a${i}`);
  const flushed = lines.flush();
  for (let i = 0; i < 10; i++) lines.add(() => `b${i}`);
  await flushed;
  assertEquals(batches.length, 2);
  assertEquals(batches.join(""), [..."ab"].map((c) => numbered(c).join("")).join(""));
});

Deno.test("much text is written at once: what is gathered in 100 ms may be more than there is room for", async () => {
  const totals = { lostAccessLines: 0 };
  let characters = 0;
  const lines = new AccessLines((text) => {
    characters += text.length;
    return Promise.resolve(true);
  }, totals);
  const line = "x".repeat(999);
  for (let i = 0; i < 5_000; i++) {
    lines.add(() => line);
    if (i % 100 === 0) await Promise.resolve();
  }
  await lines.flush();
  assertEquals([totals.lostAccessLines, characters], [0, 5_000_000]);
});

function numbered(letter: string): string[] {
  return Array.from({ length: 10 }, (_, i) => `${letter}${i}\n`);
}

Deno.test("what cannot be written, or finds no room, is counted; memory is bounded", async () => {
  const totals = { lostAccessLines: 0 };
  const taken = Promise.withResolvers<boolean>();
  let characters = 0;
  const lines = new AccessLines((text) => {
    characters += text.length;
    return taken.promise;
  }, totals);
  const line = "x".repeat(999);
  lines.add(() => line);
  const flushed = lines.flush();
  for (let i = 0; i < 5_000; i++) lines.add(() => line);
  const lost = totals.lostAccessLines;
  assert(lost > 3_900 && lost < 4_000, `${lost} of 5 001 lines found no room beside a megabyte`);
  taken.resolve(false);
  await flushed;
  assertEquals(totals.lostAccessLines, 5_001, "the others could not be written");
  assertEquals(characters, (5_001 - lost) * 1_000);
});

Deno.test("a line says when, as Date does, and who, in any script", () => {
  const done = { client: "", database: 0, command: "get", server: "", slot: -1, keys: 1 };
  const more = { requestBytes: 1, replyBytes: 1, usecs: 1, stages: {}, end: "answered" } as const;
  const flags = { sample: 1, isSlow: false, isError: false };
  for (const atMs of [1_700_000_000_000, 1_700_000_000_007.9, 1_700_000_000_999.99, 999, 42_000]) {
    for (const name of ["", "plain", "\u007f", "gr\u00fc\u00df", "\u65e5\u672c"]) {
      const bytes = String.fromCharCode(...new TextEncoder().encode(name));
      const request = { ...done, ...more, ...flags, atMs, user: bytes, clientName: bytes };
      const line = JSON.parse(accessLine(request, ""));
      assertEquals([line.time, line.user], [new Date(atMs).toISOString(), name]);
      assertEquals(line.name ?? "", name);
    }
  }
});
