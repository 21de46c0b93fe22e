/**
 * How a command that blocks outlasts outages: each for 15 s from when it was noticed.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  DEMOTED,
  LOST,
  Outage,
  type OutageServer,
} from "../../../../src/router/backends/outage.ts";
import { type Loss, OutageWait } from "../../../../src/router/blocking/outage_wait.ts";
import { FakeTimers } from "../../../support/fake_timers.ts";

const DEMOTION = "UNBLOCKED force unblock from blocking operation, instance state changed";
const REFUSAL = "READONLY You can't write against a read only replica.";
const LOSS = "ERR handle response, backend conn failure, closed by the server";

/** A server that answers nothing by itself. */
function newServer(timers: FakeTimers) {
  const server = { heardMs: 0, resp3: "no", backend: () => ({}) } as unknown as
    & { heardMs: number }
    & OutageServer;
  return {
    server,
    lost: new Outage(server, { ...LOST, question: new Uint8Array(0) }, timers),
    demoted: new Outage(server, DEMOTED, timers),
  };
}

/** A command, its servers, and the time. */
class Scene {
  readonly timers = new FakeTimers();
  readonly servers = [newServer(this.timers), newServer(this.timers)] as const;
  /** What the command has been answered; null while it waits or is kept. */
  answer: string | null = null;
  readonly wait = new OutageWait({
    outageOver: () => {},
    outageTooLong: (text) => this.answer ??= text,
    timeOver: () => this.answer ??= "nothing",
  }, this.timers);

  constructor() {
    for (const { lost, demoted } of this.servers) {
      // Nobody asks the servers: a test says when they are back.
      for (const outage of [lost, demoted]) outage.whenOver = () => {};
    }
  }

  /** The command was kept for so long by a server, which then loses it. */
  lose(at: 0 | 1, keptForMs: number, how: Partial<Loss> = {}, leftMs = Infinity): void {
    this.timers.advance(keptForMs);
    const nowMs = this.timers.nowMs();
    const { server, lost, demoted } = this.servers[at];
    const text = how.text ?? LOSS;
    const loss = { askedMs: nowMs - keptForMs, keptMs: NaN, ...how, text };
    this.wait.begin(server, text === LOSS ? lost : demoted, loss, leftMs);
  }

  /** The server, or another one, takes the command after so long. */
  back(afterMs: number): void {
    this.timers.advance(afterMs);
    this.wait.end();
    for (const { server } of this.servers) server.heardMs = this.timers.nowMs();
  }
}

Deno.test("each outage has its own 15 s, however soon it follows on another one", () => {
  const scene = new Scene();
  for (const at of [0, 1, 0, 1, 0, 1] as const) {
    scene.lose(at, 5000);
    scene.back(12_000);
    assertEquals(scene.answer, null);
  }
  scene.lose(0, 5000);
  scene.timers.advance(14_900);
  assertEquals(scene.answer, null);
  scene.timers.advance(200);
  assertEquals(scene.answer, LOSS);
});

Deno.test("planned promotions follow on each other as often as they like", () => {
  for (const everyMs of [1500, 3000, 19_000]) {
    const scene = new Scene();
    for (let i = 0; i < 20; i++) {
      scene.lose(i % 2 as 0 | 1, everyMs, { text: DEMOTION });
      scene.back(500);
      assertEquals(scene.answer, null, `every ${everyMs} ms, at the ${i + 1}th`);
    }
  }
});

Deno.test("where a command is asked for a second at a time, each outage has 15 s, too", () => {
  for (const text of [LOSS, DEMOTION]) {
    const scene = new Scene();
    for (let i = 0; i < 6; i++) {
      scene.timers.advance(18_700); // in slices
      const keptMs = scene.timers.nowMs();
      scene.lose(i % 2 as 0 | 1, 300, { text, keptMs });
      scene.back(12_000);
      assertEquals(scene.answer, null, `${text}, at the ${i + 1}th`);
    }
  }
});

Deno.test("a client that comes right before a promotion stays, though there were others before", () => {
  const scene = new Scene();
  for (let i = 0; i < 5; i++) {
    scene.lose(0, 6000, { text: DEMOTION });
    scene.back(1000);
  }
  const { server, demoted } = scene.servers[0];
  scene.timers.advance(6000);
  const nowMs = scene.timers.nowMs();
  const newcomer = new OutageWait({
    outageOver: () => {},
    outageTooLong: (text) => scene.answer = text,
    timeOver: () => {},
  }, scene.timers);
  newcomer.begin(server, demoted, { text: DEMOTION, askedMs: nowMs - 100, keptMs: NaN }, Infinity);
  scene.timers.advance(14_000);
  assertEquals(scene.answer, null);
});

Deno.test("a command that is lost right after it was sent, four times in a row, is given up", () => {
  for (const text of [LOSS, REFUSAL]) {
    const scene = new Scene();
    scene.lose(0, 60_000, { text });
    for (let i = 0; i < 3; i++) {
      scene.back(200);
      scene.lose(0, 50, { text });
      assertEquals(scene.answer, null);
    }
    scene.back(200);
    scene.lose(0, 50, { text });
    assertEquals(scene.answer, text);
  }
});

Deno.test("losses right after a command was sent are one outage with what was before", () => {
  const scene = new Scene();
  scene.lose(0, 60_000);
  scene.back(7000);
  scene.lose(0, 100);
  scene.timers.advance(7700);
  assertEquals(scene.answer, null);
  scene.timers.advance(300);
  assertEquals(scene.answer, LOSS);
});

Deno.test("a command that was never sent does not make an outage longer", () => {
  const scene = new Scene();
  const unsent = "ERR handle request, backend conn failure, timeout";
  scene.wait.begin(scene.servers[0].server, scene.servers[0].lost, {
    text: unsent,
    askedMs: NaN,
    keptMs: NaN,
  }, Infinity);
  scene.timers.advance(10_000);
  scene.wait.begin(scene.servers[0].server, scene.servers[0].lost, {
    text: unsent,
    askedMs: NaN,
    keptMs: NaN,
  }, Infinity);
  scene.timers.advance(4900);
  assertEquals(scene.answer, null);
  scene.timers.advance(200);
  assertEquals(scene.answer, unsent);
});

Deno.test("a command's own time ends it in an outage with the usual null", () => {
  const scene = new Scene();
  scene.lose(0, 2000, {}, 3000);
  scene.timers.advance(2900);
  assertEquals(scene.answer, null);
  scene.timers.advance(200);
  assertEquals(scene.answer, "nothing");
});
