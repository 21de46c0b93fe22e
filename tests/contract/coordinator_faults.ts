/**
 * What every coordinator on a server guarantees when server or network fail, and all else that it
 * guarantees.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { type Coordinator, OPERATIONS_MAX } from "../../src/coordinator/coordinator.ts";
import {
  ConnectionLossError,
  CoordinatorError,
  LockTimeoutError,
  NoNodeError,
} from "../../src/coordinator/errors.ts";
import { firstOf, until, within } from "../support/deadline.ts";
import { freePort } from "../support/free_port.ts";
import type { RemoteCoordinator, RemoteOptions } from "../support/remote_coordinator.ts";
import { TcpRelay } from "../support/tcp_relay.ts";
import { testCoordinator } from "./coordinator.ts";

type Register = (name: string, body: () => Promise<void>) => void;

/** A session whose network fails when told to, and one beside it whose network never does. */
class FaultySession implements AsyncDisposable {
  readonly states: string[] = [];

  private constructor(
    readonly relay: TcpRelay,
    readonly session: Coordinator,
    readonly other: Coordinator,
  ) {
    session.onState((state) => this.states.push(state));
  }

  static async open(
    remote: RemoteCoordinator,
    options: RemoteOptions = {},
    pieceBytes = 65_536,
  ): Promise<FaultySession> {
    await remote.empty();
    const relay = TcpRelay.start(remote.server.port, { pieceBytes });
    const session = await remote.open({ ...options, ports: [relay.port] });
    return new FaultySession(relay, session, await remote.open());
  }

  /** Waits until the session has been in a state. */
  async seen(state: string): Promise<void> {
    await until(() => this.states.includes(state));
  }

  /** Waits until calls are answered. */
  async works(): Promise<void> {
    await until(async () => {
      return await this.session.children("/").then(() => true, () => false);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.relay.resume();
    await Promise.all([this.session.close(), this.other.close()]);
    await this.relay[Symbol.asyncDispose]();
  }
}

/** Registers both suites. */
export function testRemoteCoordinator(remote: RemoteCoordinator, register: Register): void {
  testCoordinator({
    ...remote,
    start: async () => {
      await remote.empty();
      return {
        config: remote.config,
        open: () => remote.open(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
  }, register);
  testFaults(remote, (name, body) => register(`${remote.name} coordinator ${name}`, body));
}

function testFaults(remote: RemoteCoordinator, test: Register): void {
  const { server, sessionTimeoutMs } = remote;

  test("loses nothing when its connection is cut", async () => {
    await using faulty = await FaultySession.open(remote);
    const { relay, session, other } = faulty;
    await session.create("/own", "mine", "ephemeral");
    const data = session.watchData("/data");
    const names = session.watchChildren("/names");
    await within(Promise.all([data.next(), names.next()]));
    for (let round = 1; round <= 5; round++) {
      relay.cut();
      await other.create(`/names/${round}`, "");
      if (round === 1) await other.create("/data", "1");
      else await other.write("/data", `${round}`);
      await firstOf(data, (entry) => entry?.data === `${round}`);
      await firstOf(names, ({ length }) => length === round);
    }
    assertEquals((await other.read("/own")).data, "mine");
    assert(!faulty.states.includes("expired"));
    await faulty.works();
    await session.write("/own", "still mine");
  });

  test("reads answers in whatever pieces they arrive", async () => {
    await using faulty = await FaultySession.open(remote, {}, 7);
    const { session, other } = faulty;
    const text = "日本🎈".repeat(200);
    const watch = session.watchData("/text");
    for (let i = 0; i < 20; i++) await other.create(`/names/${i}`, text);
    await other.create("/text", text);
    assertEquals((await firstOf(watch, (entry) => entry !== undefined))?.data, text);
    const entries = (await session.children("/names")).map((name) =>
      session.read(`/names/${name}`)
    );
    for (const { data } of await Promise.all(entries)) assertEquals(data, text);
  });

  test("notices a hung server, fails calls in time, and goes on when it wakes", async () => {
    await remote.empty();
    const session = await remote.open();
    const states: string[] = [];
    session.onState((state) => states.push(state));
    try {
      await session.create("/own", "", "ephemeral");
      const watch = session.watchData("/data");
      await within(watch.next());
      await server.pause();
      const hung = performance.now();
      const call = session.read("/own");
      await assertRejects(() => within(call), ConnectionLossError);
      await until(() => states.includes("disconnected"));
      const noticedMs = performance.now() - hung;
      console.log(`hung server noticed after ${Math.round(noticedMs)} ms of ${sessionTimeoutMs}`);
      assert(noticedMs < sessionTimeoutMs, `${noticedMs}`);
      const asked = performance.now();
      await assertRejects(() => session.create("/x", ""), ConnectionLossError, '"/x"');
      assert(performance.now() - asked < 500, "a session that is lost says so at once");
      // Longer than the session lasts: whether it has ended is the server's to say.
      await delay(sessionTimeoutMs);
      await server.resume();
      const awake = performance.now();
      await until(() => session.state === "connected");
      await until(() => session.create("/data", "new").then(() => true, () => false));
      await firstOf(watch, (entry) => entry?.data === "new");
      console.log(`working ${Math.round(performance.now() - awake)} ms after it woke`);
    } finally {
      await server.resume();
      await session.close();
    }
  });

  test("begins a new session when the old one has expired, and says so", async () => {
    await using faulty = await FaultySession.open(remote);
    const { relay, session, other } = faulty;
    await session.create("/own", "first", "ephemeral");
    const watch = session.watchData("/own");
    const far = other.watchData("/own");
    await firstOf(watch, (entry) => entry?.data === "first");
    relay.stall();
    await firstOf(far, (entry) => entry === undefined);
    relay.resume();
    const back = performance.now();
    await firstOf(watch, (entry) => entry === undefined);
    await until(() => session.create("/own", "second", "ephemeral").then(() => true, () => false));
    console.log(`registered again ${Math.round(performance.now() - back)} ms after the return`);
    assertEquals(session.state, "connected");
    assertEquals(faulty.states, ["disconnected", "expired", "connecting", "connected"]);
    await firstOf(watch, (entry) => entry?.data === "second");
    await firstOf(far, (entry) => entry?.data === "second");
    // It is the new session's, and ends with it.
    await session.close();
    await firstOf(far, (entry) => entry === undefined);
  });

  test("finds a server that was killed and started again", async () => {
    await remote.empty();
    const session = await remote.open({ sessionTimeoutMs: 10_000 });
    try {
      await session.create("/kept/a", "1");
      await session.create("/own", "mine", "ephemeral");
      const watch = session.watchData("/kept/a");
      await firstOf(watch, (entry) => entry?.data === "1");
      await server.kill();
      await until(() => session.state === "disconnected");
      await assertRejects(() => session.write("/kept/a", "2"), ConnectionLossError);
      await server.restart();
      const back = performance.now();
      await until(() => session.write("/kept/a", "3").then(() => true, () => false));
      console.log(`found again ${Math.round(performance.now() - back)} ms after its start`);
      await firstOf(watch, (entry) => entry?.data === "3");
      assertEquals((await session.read("/own")).data, "mine", "the session went on");
    } finally {
      if (session.state !== "connected") await server.restart().catch(() => {});
      await session.close();
    }
  });

  test("goes on with a server that has lost all it knew", async () => {
    await remote.empty();
    const session = await remote.open();
    try {
      for (let i = 0; i < 50; i++) await session.create(`/names/${i}`, "");
      await session.create("/own", "mine", "ephemeral");
      const own = session.watchData("/own");
      const names = session.watchChildren("/names");
      await firstOf(own, (entry) => entry?.data === "mine");
      await firstOf(names, ({ length }) => length === 50);
      await server.kill();
      await server.wipe();
      await server.restart();
      await firstOf(own, (entry) => entry === undefined);
      await firstOf(names, ({ length }) => length === 0);
      await until(() => session.create("/own", "again", "ephemeral").then(() => true, () => false));
      await firstOf(own, (entry) => entry?.data === "again");
      await session.create("/names/new", "");
      await firstOf(names, (all) => all.join() === "new");
    } finally {
      await session.close();
    }
  });

  test("goes on with a server that was set back to an older copy, and changed since", async () => {
    await remote.empty();
    await using relay = TcpRelay.start(server.port);
    const session = await remote.open({ ports: [relay.port] });
    try {
      await session.create("/data", "old");
      await session.create("/names/old", "");
      const data = session.watchData("/data");
      const names = session.watchChildren("/names");
      await firstOf(data, (entry) => entry?.data === "old");
      await server.stop();
      await server.backUp();
      await server.restart();
      await until(() => session.write("/data", "new").then(() => true, () => false));
      await session.create("/names/new", "");
      await firstOf(data, (entry) => entry?.data === "new");
      await firstOf(names, ({ length }) => length === 2);
      relay.stall();
      await server.stop();
      await server.setBack();
      await server.restart();
      // Its changes are numbered beyond those that the session has seen.
      const other = await remote.open();
      for (let i = 0; i < 50; i++) await other.create(`/others/${i}`, "");
      await other.close();
      relay.resume();
      await firstOf(data, (entry) => entry?.data === "old");
      await firstOf(names, (all) => all.join() === "old");
    } finally {
      await session.close();
    }
  });

  test("opens at whichever of its servers answers", async () => {
    await using silent = TcpRelay.start(server.port);
    silent.stall();
    const ports = [freePort(), silent.port, server.port];
    for (let round = 0; round < 2; round++) {
      const session = await remote.open({ ports, callTimeoutMs: 3_000 });
      assertEquals(session.state, "connected");
      await session.close();
    }
  });

  test("moves to another server when its own hangs", async () => {
    await remote.empty();
    await using first = TcpRelay.start(server.port);
    await using second = TcpRelay.start(server.port);
    const session = await remote.open({ ports: [first.port, second.port] });
    try {
      await session.create("/own", "mine", "ephemeral");
      const watch = session.watchData("/data");
      await within(watch.next());
      for (const relay of [first, second]) {
        relay.stall();
        await until(() => session.write("/own", "mine still").then(() => true, () => false));
        relay.resume();
      }
      await session.create("/data", "1");
      await firstOf(watch, (entry) => entry?.data === "1");
    } finally {
      await session.close();
    }
  });

  test("says where it could not be opened", async () => {
    const port = freePort();
    const opening = remote.open({ ports: [port], sessionTimeoutMs: 500, callTimeoutMs: 300 });
    const error = await assertRejects(() => opening, CoordinatorError, `127.0.0.1:${port}`);
    assert(error.message.includes("refused") || error.message.includes("REFUSED"), error.message);
  });

  test("deletes a tree although that takes longer than a call may", async () => {
    await remote.empty();
    const near = await remote.open();
    await near.create("/tree", "");
    for (let at = 0; at < 300; at += OPERATIONS_MAX) {
      await near.transact(
        Array.from({ length: OPERATIONS_MAX }, (_, i) => ({
          create: `/tree/${at + i}`,
          data: "",
        })),
      );
    }
    await using relay = TcpRelay.start(server.port, { delayMs: 50 });
    const far = await remote.open({
      ports: [relay.port],
      sessionTimeoutMs: 30_000,
      callTimeoutMs: 3_000,
    });
    await far.deleteTree("/tree");
    assertEquals((await near.children("/")).includes("tree"), false);
    await Promise.all([far.close(), near.close()]);
  });

  test("leaves no lock behind that it took without an answer", async () => {
    await using faulty = await FaultySession.open(remote, {
      sessionTimeoutMs: 30_000,
      callTimeoutMs: 500,
    });
    const { relay, session, other } = faulty;
    relay.stall("answers");
    const taking = session.lock("/lock", { data: "", waitMs: 5_000 });
    await assertRejects(() => within(taking), ConnectionLossError);
    relay.cut();
    relay.resume();
    await faulty.works();
    const lock = await other.lock("/lock", { data: "", waitMs: 10_000 });
    await lock.release();
  });

  test("lets a lock go that was released while it was away", async () => {
    await using faulty = await FaultySession.open(remote, {
      sessionTimeoutMs: 30_000,
      callTimeoutMs: 500,
    });
    const { relay, session, other } = faulty;
    const held = await session.lock("/lock", { data: "", waitMs: 0 });
    relay.stall();
    await within(held.release());
    const tryOnce = other.lock("/lock", { data: "", waitMs: 0 });
    await assertRejects(() => tryOnce, LockTimeoutError);
    relay.cut();
    relay.resume();
    await (await other.lock("/lock", { data: "", waitMs: 10_000 })).release();
    await faulty.works();
    await assertRejects(() => session.read(held.path), NoNodeError);
  });

  test("ends at once when it is closed while its server is away", async () => {
    await using faulty = await FaultySession.open(remote);
    const { relay, session } = faulty;
    const watch = session.watchChildren("/");
    await within(watch.next());
    relay.stall();
    const pending = session.read("/");
    const closed = performance.now();
    await Promise.all([
      within(session.close()),
      assertRejects(() => pending, CoordinatorError),
    ]);
    assert(performance.now() - closed < 2_000);
    assertEquals((await within(watch.next())).done, true);
  });
}
