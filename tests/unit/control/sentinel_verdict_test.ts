/**
 * When sentinels have decided: most of all of them answer, and one server is the newest that they name.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type SentinelAnswer, verdictOf } from "../../../src/control/sentinel_verdict.ts";

/** Answers of sentinels: an address and its config epoch each; `""`: it does not watch the group. */
function answers(...said: readonly (readonly [addr: string, epoch?: number])[]): SentinelAnswer[] {
  return said.map(([addr, configEpoch = 0], i) => ({
    sentinel: `s${i + 1}:26379`,
    master: addr === "" ? undefined : {
      ...{
        name: "test-1",
        addr,
        configEpoch,
        runId: "",
        flags: ["master"],
        replicas: 1,
        others: 2,
      },
    },
  }));
}

function verdict(said: SentinelAnswer[], total: number): string {
  const found = verdictOf(said, total);
  return found.kind === "decided"
    ? `${found.master.addr} by ${found.votes}${found.isByMost ? "" : ", not most"}`
    : `${found.kind}: ${found.text}`;
}

Deno.test("most of all sentinels must answer", () => {
  assertEquals(verdict(answers(["a:1"], ["a:1"], ["a:1"]), 3), "a:1 by 3");
  assertEquals(verdict(answers(["a:1"], ["a:1"]), 3), "a:1 by 2");
  assertEquals(verdict(answers(["a:1"]), 1), "a:1 by 1");
  assertEquals(verdict(answers(["a:1"], ["a:1"]), 4), "few: 2 of 4 sentinels answer, 3 are needed");
  assertEquals(verdict(answers(["a:1"]), 3), "few: 1 of 3 sentinels answer, 2 are needed");
  assertEquals(verdict([], 3), "few: 0 of 3 sentinels answer, 2 are needed");
});

Deno.test("sentinels that do not watch the group do not count", () => {
  const said = answers(["a:1"], [""], [""]);
  assertEquals(verdict(said, 3), "few: 1 of 3 sentinels watch it, 2 are needed");
  assertEquals(verdict(answers(["a:1"], ["a:1"], [""]), 3), "a:1 by 2");
});

Deno.test("the newest word counts, also before the others have heard of it", () => {
  // The one that led the failover knows first.
  assertEquals(verdict(answers(["b:1", 5], ["a:1", 4], ["a:1", 4]), 3), "b:1 by 1, not most");
  assertEquals(verdict(answers(["a:1", 4], ["b:1", 5]), 3), "b:1 by 1, not most");
  assertEquals(verdict(answers(["b:1", 5], ["b:1", 5], ["a:1", 4]), 3), "b:1 by 2");
  assertEquals(verdict(answers(["b:1", 5]), 3), "few: 1 of 3 sentinels answer, 2 are needed");
});

Deno.test("words that are equally new decide only when most say so", () => {
  assertEquals(
    verdict(answers(["b:1"], ["a:1"]), 3),
    "split: s1:26379 says b:1 (epoch 0), s2:26379 says a:1 (epoch 0)",
  );
  assertEquals(verdict(answers(["a:1"], ["a:1"], ["b:1"]), 3), "a:1 by 2");
});
