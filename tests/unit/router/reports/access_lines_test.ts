import { assert, assertEquals } from "@std/assert";
import { AccessLines } from "../../../../src/router/reports/access_lines.ts";

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
  for (let i = 0; i < 10; i++) lines.add(`a${i}`);
  const flushed = lines.flush();
  for (let i = 0; i < 10; i++) lines.add(`b${i}`);
  await flushed;
  assertEquals(batches.length, 2);
  assertEquals(batches.join(""), [..."ab"].map((c) => numbered(c).join("")).join(""));
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
  lines.add(line);
  const flushed = lines.flush();
  for (let i = 0; i < 5_000; i++) lines.add(line);
  const lost = totals.lostAccessLines;
  assert(lost > 3_900 && lost < 4_000, `${lost} of 5 001 lines found no room beside a megabyte`);
  taken.resolve(false);
  await flushed;
  assertEquals(totals.lostAccessLines, 5_001, "the others could not be written");
  assertEquals(characters, (5_001 - lost) * 1_000);
});
