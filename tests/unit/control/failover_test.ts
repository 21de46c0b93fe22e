/**
 * When a failover promotes a replica, which one, and when it does not.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { Control } from "../../../src/control/control.ts";
import { Failover } from "../../../src/control/failover.ts";
import type { Replication } from "../../../src/control/servers.ts";
import type { Tally } from "../../../src/control/votes.ts";
import type { RedisInfo } from "../../../src/redis/info.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

const AFTER_MS = 2_000;
const MASTER = "m:1";

function replica(offset: number, more: RedisInfo = {}): RedisInfo {
  return {
    role: "slave",
    master_host: "m",
    master_port: "1",
    master_replid: "x",
    slave_repl_offset: `${offset}`,
    ...more,
  };
}

/** A group whose master is down, and what a failover does about it. */
class Outage {
  readonly timers = new FakeTimers();
  readonly events: string[] = [];
  readonly promoted: string[] = [];
  votes: Tally = { up: 0, down: 2, unheard: [] };
  /** Fences of proxies that do not answer, and whether they step back. */
  holdouts = new Map<string, boolean>();
  isDown = true;
  whyNot = () => Promise.resolve("not asked");
  /** INFO of the master, as it was last read; undefined: it was not. */
  masterInfo: RedisInfo | undefined = { role: "master", master_replid: "x" };
  /** Replicas as they were when they were last seen linked. */
  readonly linked = new Map<string, Replication>();
  /** Why replicas do not let proxies in. */
  readonly refusals = new Map<string, string>();
  /** Why promotions fail; empty: they do not. */
  refusal = "";
  readonly #failover: Failover;

  constructor(readonly infos: Readonly<Record<string, RedisInfo>>) {
    const group = {
      id: 1,
      product_name: "test",
      servers: [
        { type: "master", group_id: 1, addr: MASTER } as const,
        ...Object.keys(infos).map((addr) => ({ type: "slave", group_id: 1, addr }) as const),
      ],
    };
    const outage: Control["outage"] = ({ phase, kind, text, cause }) =>
      void this.events.push(`${phase} ${kind}: ${text}${cause === undefined ? "" : `: ${cause}`}`);
    this.#failover = new Failover(
      {
        control: { outage },
        askInfo: (addr) => Promise.resolve(infos[addr]!),
        askRefusal: (addr) => Promise.resolve(this.refusals.get(addr) ?? ""),
        votes: {
          ask: () => {},
          forget: () => {},
          of: () => this.votes,
          holdouts: () => this.holdouts,
        },
        sightings: {
          tree: { groups: [group] },
          servers: {
            downMs: (addr) => addr === MASTER && this.isDown ? this.timers.nowMs() : 0,
            infoOf: (addr) => addr === MASTER ? this.masterInfo : infos[addr],
            lastLinked: (addr) => this.linked.get(addr),
          },
        },
        promote: (_group, addr, whyNot) => {
          this.promoted.push(addr);
          this.whyNot = whyNot;
          if (this.refusal !== "") return Promise.reject(new Error(this.refusal));
          this.isDown = false;
          return Promise.resolve();
        },
      },
      AFTER_MS,
      this.timers,
    );
    this.#failover.start();
  }

  /** Lets time pass, and the failover act. */
  async pass(ms: number): Promise<void> {
    const endMs = this.timers.nowMs() + ms;
    while (this.timers.nowMs() < endMs) {
      this.timers.advance(250);
      await delay(0);
    }
  }

  [Symbol.dispose](): void {
    this.#failover.stop();
  }
}

Deno.test("the replica with most of the master's changes is promoted, not before its time", async () => {
  using outage = new Outage({ "a:1": replica(10), "b:1": replica(30), "c:1": replica(20) });
  await outage.pass(AFTER_MS - 250);
  assertEquals(outage.promoted, []);
  await outage.pass(300);
  assertEquals(outage.promoted, ["b:1"]);
});

Deno.test("a replica that does not let proxies in is promoted for nobody, and the reason is reported", async () => {
  using outage = new Outage({ "a:1": replica(10), "b:1": replica(30) });
  outage.refusals.set("b:1", "does not let proxies in");
  outage.refusal = "not yet";
  await outage.pass(AFTER_MS + 250);
  assertEquals(outage.promoted, ["a:1"], "the other one");
  using only = new Outage({ "a:1": replica(10) });
  only.refusals.set("a:1", "does not let proxies in");
  await only.pass(AFTER_MS + 5_000);
  assertEquals(only.promoted, []);
  assertEquals(only.events, [
    "once failover_refused: group 1: the master m:1 does not answer this dashboard: no failover: " +
    "no replica with its data lets proxies in; a:1 does not let proxies in",
  ]);
  only.refusals.clear();
  await only.pass(2_000);
  assertEquals(only.promoted, ["a:1"], "as soon as it does");
});

Deno.test("a replica that was without its master for long, or follows another one, is not promoted", async () => {
  using outage = new Outage({
    "late:1": replica(90, { master_link_down_since_seconds: "60" }),
    "syncing:1": replica(90, { master_sync_in_progress: "1" }),
    "other:1": replica(90, { master_host: "other", master_replid: "y" }),
    "free:1": { role: "master", master_replid: "x" },
  });
  await outage.pass(AFTER_MS + 5_000);
  assertEquals(outage.promoted, []);
  assertEquals(outage.events.length, 1, "reported once");
});

Deno.test("a replica that has never synced with the lost master is not promoted, however much it has", async () => {
  using outage = new Outage({
    "added:1": replica(9_000, { master_replid: "own", master_link_down_since_seconds: "-1" }),
    "restarted:1": replica(9_000, { master_link_down_since_seconds: "-1" }),
    "moved:1": replica(9_000, { master_replid: "before", master_link_down_since_seconds: "1" }),
  });
  await outage.pass(AFTER_MS + 5_000);
  assertEquals(outage.promoted, []);
  assertEquals(outage.events, [
    "once failover_refused: group 1: the master m:1 does not answer this dashboard: no failover: " +
    "no replica with its data answers; added:1 is not known to have synced with m:1; " +
    "restarted:1 has not been linked to m:1 since its start; moved:1 is not known to have synced with m:1",
  ]);
});

Deno.test("a replica that has synced is promoted before one with more bytes of another history", async () => {
  using outage = new Outage({
    "added:1": replica(9_000, { master_replid: "own", master_link_down_since_seconds: "-1" }),
    "a:1": replica(10, { master_link_down_since_seconds: "1" }),
  });
  await outage.pass(AFTER_MS + 300);
  assertEquals(outage.promoted, ["a:1"]);
});

Deno.test("a master that is lost before it was seen as one has no successor: nobody may have its writes", async () => {
  using outage = new Outage({ "a:1": replica(10) });
  outage.masterInfo = replica(10, { master_host: "older" });
  await outage.pass(AFTER_MS + 5_000);
  assertEquals(outage.promoted, []);
  assertMatch(outage.events[0]!, /; a:1 is not known to have synced with m:1$/);
  // Of one that was frozen for a promotion it is known: nothing.
  outage.masterInfo = replica(10, { master_host: "m", master_port: "1" });
  await outage.pass(1_000);
  assertEquals(outage.promoted, ["a:1"]);
});

Deno.test("a replica that was seen linked to the lost master since it has its history is promoted", async () => {
  // The master has begun another history with its first replica, and was not asked since.
  using outage = new Outage({
    "a:1": replica(10, { master_replid: "newer", master_link_down_since_seconds: "1" }),
    "b:1": replica(90, { master_replid: "other", master_link_down_since_seconds: "1" }),
  });
  for (const [addr, history] of [["a:1", "newer"], ["b:1", "before other"]] as const) {
    outage.linked.set(addr, { role: "slave", master: MASTER, isLinked: true, history, offset: 1 });
  }
  await outage.pass(AFTER_MS + 300);
  assertEquals(outage.promoted, ["a:1"]);
});

Deno.test("of a master that was never seen, replicas are promoted only if they agree about its history", async () => {
  using outage = new Outage({ "a:1": replica(10), "b:1": replica(30, { master_replid: "y" }) });
  outage.masterInfo = undefined;
  await outage.pass(AFTER_MS + 5_000);
  assertEquals(outage.promoted, []);
  assertMatch(outage.events[0]!, /: it is not known which of b:1 and a:1 has followed it: their/);
  using agreed = new Outage({ "a:1": replica(10), "b:1": replica(30) });
  agreed.masterInfo = undefined;
  await agreed.pass(AFTER_MS + 300);
  assertEquals(agreed.promoted, ["b:1"]);
});

Deno.test("a replica of a server that has no history, before Redis 4, is promoted if it was seen linked to the master", async () => {
  const old = (more: RedisInfo = {}) => {
    const { master_replid: _, ...info } = replica(10, more);
    return info;
  };
  const infos = {
    "never:1": old({ master_link_down_since_seconds: "1700000000" }),
    "moved:1": old({ slave_repl_offset: "90", master_link_down_since_seconds: "1" }),
    "a:1": old(),
  };
  using outage = new Outage(infos);
  outage.masterInfo = { role: "master" };
  const link = { role: "slave", isLinked: true, history: "", offset: 1 } as const;
  outage.linked.set("a:1", { ...link, master: MASTER });
  outage.linked.set("moved:1", { ...link, master: "before:1" });
  await outage.pass(AFTER_MS + 300);
  assertEquals(outage.promoted, ["a:1"]);
  // Of a master that was never seen alive, nothing better is known.
  using unseen = new Outage({ "never:1": infos["never:1"], "a:1": infos["a:1"] });
  unseen.masterInfo = undefined;
  await unseen.pass(AFTER_MS + 300);
  assertEquals(unseen.promoted, ["a:1"]);
});

Deno.test("a master that most proxies reach is not replaced, and the reason is reported once", async () => {
  using outage = new Outage({ "a:1": replica(10) });
  for (
    const [up, down, unheard] of [[1, 1, []], [2, 1, []], [0, 0, []], [0, 1, ["x"]]] as const
  ) {
    outage.votes = { up, down, unheard };
    outage.events.length = 0;
    outage.isDown = false;
    await outage.pass(1_000);
    outage.isDown = true;
    await outage.pass(20_000);
    assertEquals(outage.promoted, []);
    assertEquals(outage.events.length, 1, outage.events.join("\n"));
  }
  // It counts again when the master has answered meanwhile.
  outage.isDown = false;
  await outage.pass(1_000);
  outage.isDown = true;
  await outage.pass(1_000);
  assertEquals(outage.events.length, 2);
});

Deno.test("a promotion that was refused is tried again after a second", async () => {
  using outage = new Outage({ "a:1": replica(10) });
  outage.refusal = "a fence is dead";
  await outage.pass(AFTER_MS + 300);
  assertEquals(outage.promoted, ["a:1"]);
  assertMatch(
    outage.events.at(-1)!,
    /^once failover_refused: .*: a:1 is not promoted: a fence is dead$/,
  );
  await outage.pass(500);
  assertEquals(outage.promoted, ["a:1"]);
  outage.refusal = "";
  await outage.pass(1_000);
  assertEquals(outage.promoted, ["a:1", "a:1"]);
});

Deno.test("a promotion that has waited for another change is given up when the reasons for it hold no more", async () => {
  using outage = new Outage({ "a:1": replica(5) });
  await outage.pass(AFTER_MS + 1_000);
  assertEquals(outage.promoted, ["a:1"]);
  const isBack = "m:1 may be back";
  assertEquals(await outage.whyNot(), isBack, "it answers");
  outage.isDown = true;
  assertEquals(await outage.whyNot(), "");
  outage.votes = { up: 2, down: 0, unheard: [] };
  assertEquals(await outage.whyNot(), isBack, "most proxies reach it");
  outage.votes = { up: 0, down: 1, unheard: [] };
  outage.holdouts.set("p:9", true);
  assertEquals(await outage.whyNot(), isBack, "a proxy has not stepped back");
});

Deno.test("a replica that was restarted while its promotion waited for another change is not promoted", async () => {
  const infos: Record<string, RedisInfo> = { "a:1": replica(20), "b:1": replica(10) };
  using outage = new Outage(infos);
  await outage.pass(AFTER_MS + 300);
  assertEquals(outage.promoted, ["a:1"]);
  outage.isDown = true;
  infos["a:1"] = replica(0, { master_replid: "own", master_link_down_since_seconds: "-1" });
  assertEquals(await outage.whyNot(), "b:1 has more of its changes now");
  infos["b:1"] = { role: "master" };
  assertMatch(await outage.whyNot(), /^no replica with its data answers; /);
});
