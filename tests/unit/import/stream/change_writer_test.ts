/**
 * Changes that are not repeated as they are: their keys are read again at the source.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { Placement } from "../../../../src/hash/placement.ts";
import { Secret } from "../../../../src/base/secret.ts";
import { encodeRequest } from "../../../../src/resp/encoder.ts";
import { RequestParser } from "../../../../src/resp/request_parser.ts";
import { ImportCounts } from "../../../../src/import/import_counts.ts";
import { type ChoiceRules, KeyChoice } from "../../../../src/import/key_choice.ts";
import { ChangeError, ChangeWriter } from "../../../../src/import/stream/change_writer.ts";
import { ExpiryTimes } from "../../../../src/import/stream/expiry_times.ts";
import { KeyMarks } from "../../../../src/import/stream/key_marks.ts";
import type { TargetAccess } from "../../../../src/import/target/lane.ts";
import { Target } from "../../../../src/import/target/target.ts";

function makeWriter(rules: Partial<ChoiceRules> = {}) {
  const access: TargetAccess = {
    ...{ what: "proxy", user: "", password: new Secret("") },
    addresses: () => Promise.resolve([]),
  };
  const target = new Target(access, { version: "7.0.15", rdbVersion: 10 }, new Placement(), 1);
  const none = { match: [], except: [], database: undefined, strip: "", prefix: "" };
  const choice = new KeyChoice({ ...none, ...rules });
  const marks = new KeyMarks();
  const counts = new ImportCounts();
  const times = new ExpiryTimes();
  const writer = new ChangeWriter(target, choice, marks, times, counts);
  const write = (...words: string[]) => {
    const parser = new RequestParser();
    const bytes = encodeRequest(words);
    assertEquals(parser.parse(bytes, 0, bytes.length), "request");
    assertEquals(writer.write(parser, 1), undefined);
  };
  return { writer, marks, write, counts, times };
}

Deno.test("a script that touches no key is passed over; one that may use keys it does not declare is counted", () => {
  const { write, counts } = makeWriter();
  const news = "redis.call('publish', 'news', ARGV[1])";
  write("EVAL", news, "0", "x");
  write("EVALSHA", "ea3c8d8ba2c7a0ab9a9a5fd2d6a8fa1b5de1d5c6", "1", "k");
  assertEquals(counts.unclearScripts, 1);
  write("EVAL", "return redis.call('incr', KEYS[1])", "1", "k");
  assertEquals(counts.unclearScripts, 1);
  write("EVAL", "return redis.call('incr', KEYS[1] .. ':more')", "1", "k");
  assertEquals(counts.unclearScripts, 2);
  assertThrows(
    () => write("EVAL", "redis.call('incr', 'hidden')", "0"),
    ChangeError,
    "--restart --switch-over",
  );
});

Deno.test("a number that an old source sets may come of INCRBYFLOAT, which keeps the time to live: it is read again", () => {
  const { writer, marks, write } = makeWriter();
  write("SET", "a", "1.5");
  assertEquals(marks.dirtyCount, 0);
  writer.setMayKeepTtl = true;
  write("SET", "b", "text");
  write("SET", "c", "1.5x");
  write("SET", "d", "1", "PXAT", "99999999999999");
  assertEquals(marks.dirtyCount, 0);
  write("SET", "e", "-1.5");
  write("SET", "f", "70000");
  assertEquals(marks.dirtyCount, 2);
});

Deno.test("a key is read again when the lag was not seen for long, as after this process was stopped", () => {
  const { writer, marks, write } = makeWriter();
  const expire = (key: string) => write("EXPIRE", key, "100");
  const now = performance.now;
  try {
    expire("a");
    assertEquals(marks.dirtyCount, 0);
    performance.now = () => now.call(performance) + 3_000;
    expire("b");
    assertEquals(marks.dirtyCount, 1);
    writer.sawLag(0);
    expire("c");
    assertEquals(marks.dirtyCount, 1);
  } finally {
    performance.now = now;
  }
});

Deno.test("a key that is left out may be shorter than what is stripped of names", () => {
  const { write, counts, marks } = makeWriter({ strip: "application1:", prefix: "much-longer:" });
  write("INCR", "a");
  write("DEL", "a", "b");
  write("MSET", "a", "1", "application1:x", "2");
  assertEquals([counts.leftOut, marks.dirtyCount], [4, 0]);
  write("RENAME", "a", "application1:y");
  assertEquals(marks.dirtyCount, 1);
});

Deno.test("a key whose life is prolonged is read again when we are late: it may have ended here before", () => {
  const { writer, marks, write } = makeWriter();
  write("PEXPIREAT", "a", "99999999999999");
  assertEquals(marks.dirtyCount, 0);
  writer.sawLag(2_000);
  write("SADD", "b", "added");
  write("PEXPIREAT", "b", "99999999999999");
  assertEquals(marks.dirtyCount, 1);
});

Deno.test("a key that ends soon is read again when a change needs its value; a longer life, a new value or none end that", () => {
  const { writer, marks, write, times } = makeWriter();
  const dirty = (...words: string[]) => {
    write(...words);
    const count = marks.dirtyCount;
    marks.clear();
    return count;
  };
  const at = (ms: number) => `${Date.now() + ms}`;
  writer.sawLag(100);
  write("SET", "k", "v", "PXAT", at(5_000));
  assertEquals([dirty("APPEND", "k", "x"), dirty("SINTERSTORE", "{k}b", "k")], [0, 2]);
  writer.sawLag(3_000);
  assertEquals([dirty("APPEND", "k", "x"), dirty("SET", "k", "v", "KEEPTTL")], [1, 1]);
  assertEquals([dirty("DEL", "k"), dirty("APPEND", "k", "x")], [0, 0]);
  for (const [words, count] of [[["PERSIST"], 1], [["SET", "v"], 0]] as const) {
    times.set(0, new TextEncoder().encode("p"), 0, 1, Date.now() + 500);
    assertEquals(dirty(words[0], "p", ...words.slice(1)), count);
    if (count === 0) assertEquals(dirty("APPEND", "p", "x"), 0);
  }
  writer.sawLag(0);
  write("SETEX", "k", "100", "v");
  // It takes its time along to another name.
  assertEquals([dirty("APPEND", "k", "x"), dirty("RENAME", "k", "{k}n")], [0, 2]);
});
