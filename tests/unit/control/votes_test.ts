/**
 * Which proxies have a say in whether a master is down, and for how long an answer counts.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { isMajority, VOTE_MS, Votes } from "../../../src/control/votes.ts";
import type { ProxyRecord } from "../../../src/model/proxy.ts";
import { encodeFenceNote, UNHEARD_MS } from "../../../src/store/failover_rule.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

const SILENT_MS = 1_000;

function online(...ids: string[]): ProxyRecord[] {
  return ids.map((id) => ({ id, state: "online" }) as ProxyRecord);
}

/** Proxies that say how they see a server; one without an answer says nothing. */
class Poll {
  readonly timers = new FakeTimers();
  proxies = online("a", "b", "c");
  readonly answers = new Map<string, number | undefined>();
  readonly fences = new Map<string, string>();
  readonly votes: Votes;

  constructor() {
    this.votes = new Votes({
      proxies: () => Promise.resolve(this.proxies),
      fences: () => Promise.resolve(this.fences),
      silentMs: ({ id }) => {
        if (!this.answers.has(id)) return Promise.reject(new Error("no answer"));
        return Promise.resolve(this.answers.get(id));
      },
    }, this.timers);
  }

  async ask(): Promise<void> {
    this.timers.advance(300);
    this.votes.ask("m:1");
    await delay(0);
  }
}

Deno.test("a proxy that does not answer counts for those that reach the master", async () => {
  const poll = new Poll();
  assertEquals(poll.votes.of("m:1", SILENT_MS), undefined, "before anybody was asked");
  poll.answers.set("a", 5_000);
  await poll.ask();
  const tally = poll.votes.of("m:1", SILENT_MS)!;
  assertEquals(tally, { down: 1, up: 0, unheard: ["b", "c"] });
  assertEquals(isMajority(tally), false);
  poll.answers.set("b", SILENT_MS);
  await poll.ask();
  assertEquals(isMajority(poll.votes.of("m:1", SILENT_MS)!), true);
  poll.answers.set("c", 0);
  await poll.ask();
  assertEquals(poll.votes.of("m:1", SILENT_MS), { down: 2, up: 1, unheard: [] });
});

Deno.test("a proxy that is not online, or uses no slot of the master, has no say", async () => {
  const poll = new Poll();
  poll.proxies = [...online("a", "b"), { id: "c", state: "offline" } as ProxyRecord];
  poll.answers.set("a", 5_000).set("b", -1).set("c", 0);
  await poll.ask();
  const tally = poll.votes.of("m:1", SILENT_MS)!;
  assertEquals(tally, { down: 1, up: 0, unheard: [] });
  assertEquals(isMajority(tally), true);
  assertEquals(isMajority({ down: 0, up: 0, unheard: [] }), false, "nobody is no majority");
});

Deno.test("an answer counts for a second and a half, then its proxy was not heard", async () => {
  const poll = new Poll();
  for (const id of ["a", "b", "c"]) poll.answers.set(id, 5_000);
  await poll.ask();
  poll.answers.delete("a");
  poll.timers.advance(VOTE_MS - 400);
  await poll.ask();
  assertEquals(poll.votes.of("m:1", SILENT_MS)!.down, 3);
  poll.timers.advance(500);
  assertEquals(poll.votes.of("m:1", SILENT_MS), { down: 2, up: 0, unheard: ["a"] });
  poll.timers.advance(VOTE_MS);
  assertEquals(poll.votes.of("m:1", SILENT_MS), undefined, "it is not known who is online");
});

Deno.test("a proxy that cannot be told is waited for until it has stepped back; one that never does holds out", async () => {
  const poll = new Poll();
  const at = (id: string, state = "online") =>
    ({ id, addr: `${id}:9`, state }) as unknown as ProxyRecord;
  poll.proxies = [at("a"), at("b")];
  poll.answers.set("a", 5_000);
  poll.fences.set("a:9", "life a").set("b:9", encodeFenceNote("life b", true));
  // Two that are not online: one knows the rule, one does not.
  poll.fences.set("c:9", encodeFenceNote("life c", true)).set("d:9", "");
  await poll.ask();
  assertEquals(
    poll.votes.holdouts("m:1"),
    new Map([["b:9", true], ["c:9", true], ["d:9", false]]),
  );
  poll.fences.delete("d:9");
  poll.timers.advance(UNHEARD_MS - 500);
  await poll.ask();
  assertEquals([...poll.votes.holdouts("m:1").keys()], ["b:9", "c:9"]);
  poll.timers.advance(300);
  await poll.ask();
  assertEquals([...poll.votes.holdouts("m:1").keys()], []);
});

Deno.test("a proxy of Codis 2.0 that is online holds no promotion while it answers, and each while it does not", async () => {
  const poll = new Poll();
  poll.proxies = ["a", "old"].map((id) =>
    ({ id, addr: `${id}:9`, state: "online" }) as unknown as ProxyRecord
  );
  poll.answers.set("a", 5_000).set("old", undefined);
  poll.fences.set("a:9", encodeFenceNote("life a", true)).set("old:9", "");
  await poll.ask();
  assertEquals(poll.votes.of("m:1", SILENT_MS), { down: 1, up: 0, unheard: ["old"] });
  assertEquals(poll.votes.holdouts("m:1"), new Map());
  poll.answers.delete("old");
  for (let ms = 0; ms <= VOTE_MS; ms += 300) await poll.ask();
  assertEquals(poll.votes.holdouts("m:1"), new Map([["old:9", false]]));
});

Deno.test("a proxy is lost when no question was answered for seconds, not when nobody asked meanwhile", async () => {
  const poll = new Poll();
  const [a, b] = ["a", "b"].map((id) =>
    ({ id, addr: `${id}:9`, state: "online" }) as unknown as ProxyRecord
  ) as [ProxyRecord, ProxyRecord];
  poll.proxies = [a, b];
  poll.answers.set("a", 5_000);
  const lost = () => poll.proxies.filter((proxy) => poll.votes.isLost(proxy)).map(({ id }) => id);
  await poll.ask();
  assertEquals(lost(), []);
  for (let ms = 0; ms < 1_500; ms += 300) await poll.ask();
  assertEquals(lost(), []);
  for (let ms = 0; ms < 1_000; ms += 300) await poll.ask();
  assertEquals(lost(), ["b"]);
  poll.answers.set("b", 5_000);
  await poll.ask();
  assertEquals(lost(), []);
  // This process was paused.
  poll.timers.advance(10_000);
  assertEquals(lost(), []);
  poll.answers.clear();
  await poll.ask();
  assertEquals(lost(), ["a", "b"]);
  poll.votes.forget("m:1");
  assertEquals(lost(), []);
});
