/**
 * What is told of proxies: one that does not answer, one that has ended without leaving, one that left.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { ProxyView } from "../../../src/api/cluster_view.ts";
import { Outages } from "../../../src/control/outages.ts";
import { ProxyOutages } from "../../../src/monitor/proxy_outages.ts";

function proxy(problem: string): ProxyView {
  return { id: "p1", addr: "p:1", is_reachable: problem === "", problem } as ProxyView;
}

/** One proxy, seen every second. */
class WatchedProxy {
  nowMs = 0;
  readonly #told: string[] = [];
  /** What to do about what was told last. */
  hint = "";
  readonly #outages = new Outages(({ phase, text, cause, hint }, isNew) => {
    this.hint = hint;
    if (isNew) this.#told.push(`${phase}: ${text}${cause === "" ? "" : `: ${cause}`}`);
  }, () => this.nowMs);
  readonly #watch = new ProxyOutages({
    outage: (report) => this.#outages.report(report),
    keepOnly: (kind, subjects) => this.#outages.keepOnly(kind, subjects),
  });

  get told(): string[] {
    return this.#told.splice(0);
  }

  see(seconds: number, proxies: readonly ProxyView[], deadFences: readonly string[]): void {
    for (let i = 0; i < seconds; i++) {
      this.#watch.report(proxies, deadFences);
      this.#outages.round();
      this.nowMs += 1_000;
    }
  }

  refuse(proxies: number, cause = "no answer for 15000 ms"): void {
    this.#watch.reportRefusals(new Map([["s:1", proxies === 0 ? null : { proxies, cause }]]));
    this.#outages.round();
    this.nowMs += 1_000;
  }
}

Deno.test("a proxy that hangs, then loses its session, then is back, is one outage", () => {
  const watched = new WatchedProxy();
  watched.see(3, [proxy("")], []);
  watched.see(3, [proxy("no answer")], []);
  assertEquals(watched.told, []);
  watched.see(5, [proxy("no answer")], []);
  watched.see(5, [], ["p:1"]);
  assertEquals(watched.told, ["begin: proxy p1 (p:1) does not answer this dashboard: no answer"]);
  watched.see(5, [proxy("")], []);
  assertEquals(watched.told, ["end: proxy p1 (p:1) answers again"]);
});

Deno.test("who is told of a proxy with a wrong certificate is not told to start it again", () => {
  const watched = new WatchedProxy();
  watched.see(5, [proxy("no answer")], []);
  assertMatch(watched.hint, /start it again/);
  watched.see(5, [proxy("")], []);
  watched.see(5, [proxy("its certificate is not made for that address")], []);
  assertMatch(watched.hint, /^it may serve its clients: look at http_tls_cert/);
});

Deno.test("a proxy that was killed is told; one that leaves is not", () => {
  const watched = new WatchedProxy();
  watched.see(3, [proxy("")], []);
  watched.see(5, [], []);
  assertEquals(watched.told, []);
  watched.see(3, [proxy("")], []);
  watched.see(5, [], ["p:1"]);
  assertEquals(watched.told, [
    "begin: proxy p1 (p:1) has ended without leaving: its session with the coordinator has ended, " +
    "and its fence is left",
  ]);
  watched.see(5, [], []);
  assertEquals(watched.told, [
    "end: proxy p1 (p:1) has ended without leaving: it was removed from the cluster",
  ]);
});

Deno.test("a server that proxies refuse requests for is told once, with the reason, and its end", () => {
  const watched = new WatchedProxy();
  watched.refuse(0);
  assertEquals(watched.told, []);
  watched.refuse(1);
  watched.refuse(2);
  assertEquals(watched.told, [
    "begin: a proxy refuses requests for s:1, which does not answer in time: no answer for 15000 ms",
  ]);
  watched.refuse(0);
  assertEquals(watched.told, ["end: s:1 answers proxies in time again"]);
});
