/**
 * Requests as a batch writes them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { RequestBatch } from "../../../../src/import/target/request_batch.ts";

/** The words of the only request of a batch. */
function wordsOf(batch: RequestBatch): string[] {
  const text = new TextDecoder().decode(batch.bytes.subarray(0, batch.length));
  const [head, ...lines] = text.split("\r\n");
  assertEquals(head, `*${lines.length >> 1}`);
  return lines.slice(0, -1).map((line, i) => {
    if (i % 2 === 1) return line;
    assertEquals(line, `$${new TextEncoder().encode(lines[i + 1]).length}`);
    return "";
  }).filter((_, i) => i % 2 === 1);
}

Deno.test("texts, numbers and times are written as servers read them", () => {
  const numbers = [0, 9, 10, 99, 100, 999, 1000, 65_536, 1_795_976_488_814, 2 ** 53 - 1];
  const words = [...numbers, -1, 1.5, "", "RESTORE", "pässword", "x".repeat(10_000)];
  const batch = new RequestBatch();
  batch.request(words.length);
  for (const word of words) batch.word(word);
  assertEquals(wordsOf(batch), words.map((word) => `${word}`));
});

Deno.test("a time that no server knows becomes the last one that it knows", () => {
  const batch = new RequestBatch();
  batch.request(4).time(1_795_976_488_814.7).time(2 ** 60).time(2 ** 63).time(-5);
  const last = "9223372036854775807";
  assertEquals(wordsOf(batch), ["1795976488814", "1152921504606846976", last, "-5"]);
});

Deno.test("a batch that is used again knows nothing of what it was used for", () => {
  const batch = new RequestBatch();
  batch.database = 3;
  batch.request(1).word("PING").mustChange();
  batch.errors.set(0, "ERR");
  batch.answered = 1;
  assertEquals(batch.clear(), true);
  batch.request(1).word("TIME");
  assertEquals(wordsOf(batch), ["TIME"]);
  assertEquals(
    [batch.database, batch.count, batch.answered, batch.errors.size, batch.effective.size],
    [-1, 1, 0, 0, 0],
  );
  batch.part(new Uint8Array(1024 * 1024), 0, 1024 * 1024);
  assertEquals(batch.clear(), false); // its memory is given back
});
