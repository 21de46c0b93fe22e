/**
 * Outages become events: one begin and one end each, however often they are reported.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  outageLine,
  type OutageReport,
  Outages,
  type OutageSink,
} from "../../../src/control/outages.ts";

const SECOND = 1_000;

const DOWN = {
  kind: "server_down",
  phase: "begin",
  subject: "m:1",
  group: 1,
  server: "m:1",
  text: "group 1: the master m:1 does not answer",
  cause: "connection refused",
  hint: "start it",
} as const satisfies OutageReport;

const UP = {
  ...{ kind: "server_down", phase: "end", subject: "m:1" },
  text: "group 1: the master m:1 answers again",
} as const satisfies OutageReport;

const REFUSED = {
  ...{ kind: "failover_refused", phase: "once", subject: "group 1" },
  text: "group 1: no failover",
} as const satisfies OutageReport;

/** Outages with a clock of their own, and what was told of them. */
class Told {
  nowMs = 1_000_000;
  readonly events: Parameters<OutageSink>[0][] = [];
  readonly counts: number[] = [];
  readonly outages: Outages = new Outages((event, isNew) => {
    if (isNew) this.events.push(event);
    else this.counts.push(event.count);
  }, () => this.nowMs);

  get lines(): string[] {
    return this.events.splice(0).map((event) => `${event.phase} ${outageLine(event)}`);
  }

  /** Reports the same every second. */
  goOn(report: OutageReport, seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.outages.report(report);
      this.outages.round();
      this.nowMs += SECOND;
    }
  }
}

Deno.test("an outage that is reported every second is one begin and one end, with its duration", () => {
  const told = new Told();
  told.goOn(DOWN, 12);
  told.goOn(UP, 12);
  assertEquals(told.lines, [
    "begin group 1: the master m:1 does not answer: connection refused; what to do: start it",
    "end group 1: the master m:1 answers again, after 12 s",
  ]);
});

Deno.test("the begin and the end of an outage share its id, and have ids of their own", () => {
  const told = new Told();
  told.goOn(DOWN, 5);
  told.goOn(UP, 1);
  told.goOn(DOWN, 5);
  const [begin, end, next] = told.events;
  assertEquals([begin!.outage, end!.group, end!.server], [end!.outage, 1, "m:1"]);
  assertEquals(new Set([begin!.id, end!.id, next!.id, next!.outage]).size, 4);
});

Deno.test("what is well again before its time is no event, and the time starts anew", () => {
  const told = new Told();
  for (let i = 0; i < 5; i++) {
    told.goOn(DOWN, 2);
    told.goOn(UP, 1);
  }
  assertEquals(told.lines, []);
});

Deno.test("an outage that was seen late begins when it began", () => {
  const told = new Told();
  told.outages.report({ ...DOWN, forMs: 2_500.3 });
  assertEquals(told.events.map(({ at }) => at), [1_000_000 - 2_500]);
});

Deno.test("a server that comes and goes is three outages, then one that counts", () => {
  const told = new Told();
  for (let i = 0; i < 50; i++) {
    told.goOn(DOWN, 3);
    told.goOn(UP, 2);
  }
  assertEquals(told.lines.map((line) => line.split(" ")[0]), [
    ...["begin", "end", "begin", "end", "begin"],
  ]);
  assertEquals(told.counts, Array.from({ length: 47 }, (_, i) => i + 2));
  told.goOn(UP, 60);
  assertEquals(told.lines, [
    "end group 1: the master m:1 answers again, after 238 s (48 times)",
  ]);
});

Deno.test("each failover is told, however soon one follows another", () => {
  const told = new Told();
  for (let i = 0; i < 5; i++) {
    told.goOn({ ...DOWN, kind: "failover" }, 1);
    told.goOn({ ...UP, kind: "failover" }, 1);
  }
  assertEquals(told.lines.length, 10);
});

Deno.test("equal events of one moment are counted together for a minute", () => {
  const told = new Told();
  told.goOn(REFUSED, 60);
  assertEquals(told.lines, ["once group 1: no failover"]);
  assertEquals(told.counts.at(-1), 60);
  told.goOn({ ...REFUSED, cause: "another one" }, 1);
  told.goOn(REFUSED, 1);
  assertEquals(told.lines, ["once group 1: no failover: another one", "once group 1: no failover"]);
});

Deno.test("an outage of an earlier dashboard is not told again, and ends with its whole duration", () => {
  const first = new Told();
  first.goOn(DOWN, 5);
  const next = new Told();
  next.nowMs = first.nowMs + 20 * SECOND;
  next.outages.inherit(first.outages.open);
  next.goOn(DOWN, 5);
  assertEquals(next.lines, []);
  next.goOn(UP, 1);
  assertEquals(next.lines, ["end group 1: the master m:1 answers again, after 30 s"]);
});

Deno.test("an outage of an earlier dashboard that nobody sees any more ends after a minute", () => {
  const first = new Told();
  first.goOn(DOWN, 5);
  const next = new Told();
  next.nowMs = first.nowMs;
  next.outages.inherit(first.outages.open);
  for (let second = 0; second < 59; second++) {
    next.outages.round();
    next.nowMs += SECOND;
  }
  assertEquals(next.lines, []);
  next.nowMs += SECOND;
  next.outages.round();
  assertEquals(next.lines, [
    "end group 1: the master m:1 does not answer: nobody reports this any more, after 65 s",
  ]);
});

Deno.test("the outage of a server that is removed ends", () => {
  const told = new Told();
  told.goOn(DOWN, 5);
  told.outages.keepOnly("proxy_gone", new Set());
  told.outages.keepOnly("server_down", new Set(["m:1"]));
  assertEquals(told.lines.length, 1);
  told.outages.keepOnly("server_down", new Set());
  assertEquals(told.lines, [
    "end group 1: the master m:1 does not answer: it was removed from the cluster, after 5 s",
  ]);
});

Deno.test("figures: events, open outages, and seconds, those of open ones too", () => {
  const told = new Told();
  told.goOn(DOWN, 10);
  assertEquals(told.outages.counts("server_down"), { events: 1, open: 1, seconds: 10 });
  told.goOn(UP, 10);
  assertEquals(told.outages.counts("server_down"), { events: 2, open: 0, seconds: 10 });
  assertEquals(told.outages.counts("proxy_gone"), { events: 0, open: 0, seconds: 0 });
});

Deno.test("an event is one line, however its cause looks", () => {
  const told = new Told();
  told.outages.report({ ...REFUSED, cause: `a\r\nb${"x".repeat(9_999)}` });
  const [line] = told.lines;
  assertEquals([line!.includes("a bx"), line!.length < 600], [true, true]);
});
