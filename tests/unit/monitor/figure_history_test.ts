/** The figures of a week: rings with a fixed number of points, and their files. */

import { assertEquals, assertThrows } from "@std/assert";
import { FigureHistory } from "../../../src/monitor/figure_history.ts";
import { FigureRing, SPANS } from "../../../src/monitor/figure_ring.ts";

const SMALL = { stepMs: 10, points: 4 };

function of(figures: Record<string, number | null>, subject = "server/a:1") {
  return new Map([[subject, figures]]);
}

Deno.test("a point is the mean of its step, and of waits and lags the highest", () => {
  const ring = new FigureRing(SMALL);
  ring.add(100, of({ ops: 10, p99_ms: 3, keys: null }));
  ring.add(105, of({ ops: 20, p99_ms: 1, keys: null }));
  ring.add(110, of({ ops: 7, p99_ms: 2, keys: 9 }));
  assertEquals(ring.view("server/a:1"), {
    step_ms: 10,
    at: [100, 110],
    figures: { ops: [15, 7], p99_ms: [3, 2], keys: [null, 9] },
  });
  assertEquals(ring.view("server/a:11"), { step_ms: 10, at: [], figures: {} });
});

Deno.test("a ring keeps so many points, with gaps where nothing was seen, and forgets what is gone", () => {
  const ring = new FigureRing(SMALL);
  for (let at = 0; at < 100; at += 10) ring.add(at, of({ ops: at }));
  ring.add(110, of({ ops: 110 }));
  assertEquals(ring.view("server/a:1").at, [80, 90, 100, 110]);
  assertEquals(ring.view("server/a:1").figures, { ops: [80, 90, null, 110] });
  ring.add(150, of({ ops: 1 }, "cluster"));
  assertEquals([ring.size, ring.view("server/a:1").at], [1, []]);
  // A clock that was set back a little changes nothing; one far back begins anew.
  ring.add(149, of({ ops: 5 }, "cluster"));
  assertEquals(ring.view("cluster").figures, { ops: [1] });
  ring.add(20, of({ ops: 6 }, "cluster"));
  assertEquals(ring.view("cluster"), { step_ms: 10, at: [20], figures: { ops: [6] } });
});

Deno.test("what a file has is taken over, and a file of something else is refused", () => {
  const ring = new FigureRing(SMALL);
  for (let at = 0; at < 100; at += 5) ring.add(at, of({ ops: at, keys: 1 }));
  const bytes = ring.encode();
  const next = new FigureRing(SMALL);
  next.decode(bytes);
  assertEquals(next.view("server/a:1"), ring.view("server/a:1"));
  next.add(99, of({ ops: 200 }));
  assertEquals(next.view("server/a:1").figures["ops"]!.at(-1), 128.333);
  assertThrows(() => next.decode(bytes.slice(0, -1)), Error, "bytes");
  assertThrows(() => new FigureRing({ stepMs: 10, points: 5 }).decode(bytes), Error, "form");
  assertThrows(() => next.decode(new Uint8Array(10)));
});

Deno.test("a restart goes on with the files, which do not grow", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const history = new FigureHistory(`${dir}/new`, "test");
    const now = Date.UTC(2026, 10, 29);
    await history.add(now, of({ ops: 5 }));
    const size = () => Deno.statSync(`${dir}/new/test.7d`).size;
    const before = size();
    for (let i = 1; i <= 700; i++) {
      await history.add(now + i * SPANS["7d"].stepMs, of({ ops: 5 }));
    }
    assertEquals(Math.abs(size() - before) < 20, true, `${before}, then ${size()}`);
    history.flush();
    const next = new FigureHistory(`${dir}/new`, "test");
    await next.load();
    for (const span of ["1h", "24h", "7d"] as const) {
      assertEquals(next.view("server/a:1", span), history.view("server/a:1", span));
    }
    assertEquals(next.view("server/a:1", "7d").at.length, SPANS["7d"].points);
    // A broken file begins anew, and the others stay.
    Deno.writeTextFileSync(`${dir}/new/test.1h`, "{}\n");
    const third = new FigureHistory(`${dir}/new`, "test");
    await third.load();
    assertEquals(third.view("server/a:1", "1h").at, []);
    assertEquals(third.view("server/a:1", "7d").at.length, SPANS["7d"].points);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
