/**
 * Accepting goes on whatever there is a lack of.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { connect } from "node:net";
import { delay } from "@std/async/delay";
import { Acceptor } from "../../../src/io/acceptor.ts";
import { until } from "../../support/deadline.ts";

/** A process with so few descriptors that each connection may be the last one. */
class FewDescriptors {
  free: number;
  /** What happened, in order. */
  readonly seen: string[] = [];
  readonly failures: [string, number][] = [];
  readonly acceptor: Acceptor;
  take: (connection: Deno.TcpConn) => void | Promise<void> = () => void this.seen.push("taken");
  #waiting = 0;
  #wake = () => {};
  #isClosed = false;

  constructor(free: number) {
    this.free = free;
    const listener = {
      addr: { hostname: "127.0.0.1", port: 1, transport: "tcp" },
      accept: () => this.#accept(),
      close: () => {
        this.#isClosed = true;
        this.#wake();
      },
    } as unknown as Deno.TcpListener;
    this.acceptor = new Acceptor(listener, {
      take: (connection) => this.take(connection),
      refuse: () => Promise.resolve(void this.seen.push("refused")),
      onFailure: (error, times) => this.failures.push([(error as Error).message, times]),
    }, () => this.#open());
  }

  connect(count: number): void {
    this.#waiting += count;
    this.#wake();
  }

  #open(): { close(): void } | undefined {
    if (this.free === 0) return undefined;
    this.free--;
    return { close: () => this.free++ };
  }

  async #accept(): Promise<Deno.TcpConn> {
    while (this.#waiting === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#isClosed) throw new Error("closed");
    const opened = this.#open();
    if (opened === undefined) {
      throw Object.assign(new Error("Too many open files"), { code: "EMFILE" });
    }
    this.#waiting--;
    return {
      setNoDelay() {},
      setKeepAlive() {},
      close: () => opened.close(),
    } as unknown as Deno.TcpConn;
  }
}

Deno.test("clients that connect when no descriptor is left are refused at once, and later ones are taken again", async () => {
  const run = new FewDescriptors(3);
  run.acceptor.run();
  run.connect(5);
  await until(() => run.seen.length === 5);
  // One descriptor is the reserve.
  assertEquals(run.seen, ["taken", "taken", "refused", "refused", "refused"]);
  run.free++; // a client leaves
  run.connect(2);
  await until(() => run.seen.length === 7);
  assertEquals(run.seen.slice(5), ["taken", "refused"]);
  // Told once, not for each of them.
  assertEquals(run.failures, [["Too many open files", 1]]);
  run.acceptor.stop();
  assertEquals(run.free, 1);
});

Deno.test("without even a reserve it tries again until there is a descriptor", async () => {
  const run = new FewDescriptors(0);
  run.acceptor.run();
  run.connect(1);
  await until(() => run.failures.length === 1);
  assertEquals(run.seen, []);
  run.free = 2;
  await until(() => run.seen.length === 1);
  assertEquals(run.seen, ["taken"]);
  run.acceptor.stop();
});

Deno.test("those who are refused take one descriptor, however many come", async () => {
  const run = new FewDescriptors(20);
  const open: PromiseWithResolvers<void>[] = [];
  run.take = (connection) => {
    open.push(Promise.withResolvers());
    return open.at(-1)!.promise.then(() => connection.close());
  };
  run.acceptor.run();
  run.connect(50);
  for (let round = 1; round <= 50; round++) {
    await until(() => open.length === round);
    await delay(1);
    assertEquals(open.length, round);
    open.at(-1)!.resolve();
  }
  run.acceptor.stop();
});

Deno.test("Acceptor.stop() settles when nobody can connect any more", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const acceptor = new Acceptor(listener, {
    take: (connection) => connection.close(),
    refuse: () => Promise.resolve(),
    onFailure: () => {},
  });
  acceptor.run();
  await acceptor.stop();
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("who connects behind many that have reset their connections does not wait for them", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const failures: unknown[] = [];
  const acceptor = new Acceptor(listener, {
    take: (connection) => void connection.write(new TextEncoder().encode("hello")),
    refuse: () => Promise.resolve(),
    onFailure: (error) => failures.push(error),
  });
  for (let i = 0; i < 300; i++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect(port, "127.0.0.1", () => socket.resetAndDestroy());
    socket.on("close", () => resolve());
    await promise;
  }
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  const startMs = performance.now();
  acceptor.run();
  const buffer = new Uint8Array(5);
  assertEquals(await client.read(buffer), 5);
  const tookMs = performance.now() - startMs;
  assert(tookMs < 1000, `${tookMs} ms`); // 10 ms for each were 3 s
  assertEquals(failures, [], "the operator can do nothing about them");
  await acceptor.stop();
});
