/**
 * What a new process makes of an old one that ends while it is taken over from. The old one is played by the test, so
 * that the order of events is certain.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { listenLocally } from "../../../src/io/local_socket.ts";
import { socketPathsOf } from "../../../src/base/process_life.ts";
import {
  type NewCalls,
  type OldCalls,
  openChannel,
  ownCalls,
} from "../../../src/proxy/upgrade/channel.ts";
import { createFence, deleteFence, loadFences } from "../../../src/store/fences.ts";
import { createProxy, deleteProxy, loadProxies } from "../../../src/store/proxies.ts";
import type { Child } from "../../support/child.ts";
import { within } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { lockedLife } from "../../support/process_life.ts";
import { configText, startProgram } from "../../support/proxy_process.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** What the old process answers, and how it ends. */
interface Script {
  join?(old: OldProcess): Promise<void>;
  ready?(old: OldProcess): Promise<string>;
  listening?(old: OldProcess): Promise<void>;
}

/** What the test does as the old process. */
interface OldProcess {
  readonly next: Child;
  /** Takes away what it has at the coordinator, and says that it has left. */
  leave(): Promise<void>;
  /** Its connection ends, and it with it; `false`: what proves that comes later. */
  end(isProven?: boolean): void;
  /** Ends so much later, in milliseconds, unless the test is over before. */
  endIn(ms: number): void;
  prove(): void;
}

/** Runs a new process until it ends; returns its exit code, what it said, and what is left in the store. */
async function takeOver(script: Script) {
  await using server = await RedisServer.start();
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(server.addr);
  using life = lockedLife();
  const [port, httpPort] = [freePort(), freePort()];
  const addr = `127.0.0.1:${port}`;
  const record = { ...RECORD, addr, description: life.text, state: "online" } as const;
  await createProxy(store, record);
  await createFence(store, addr);
  const config = configText({
    coordinator: "embedded",
    embedded_dir: folder.dir,
    max_clients: 100,
  });
  await Deno.writeTextFile(`${folder.dir}/config.ini`, config);
  using listener = listenLocally(socketPathsOf(life.text)[0]!);
  const next = startProgram([
    ...["proxy", "-c", `${folder.dir}/config.ini`, "--take-over", "--cpu=1"],
    ...[`--addr=${addr}`, `--http-addr=127.0.0.1:${httpPort}`],
  ]);
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void await next.end("SIGKILL"));
  const connection = await within(listener.accept());
  let isOpen = true;
  const close = () => {
    if (isOpen) connection.close();
    isOpen = false;
  };
  stack.defer(close);
  const old: OldProcess = {
    next,
    leave: async () => {
      await deleteFence(store, addr);
      await deleteProxy(store, record.id);
      await calls.call("left");
    },
    end: (isProven = true) => {
      if (isProven) life.unlock();
      close();
    },
    endIn: (ms) => {
      const timer = setTimeout(() => old.end(), ms);
      stack.defer(() => clearTimeout(timer));
    },
    prove: () => life.unlock(),
  };
  const own: OldCalls = {
    join: async () => {
      await script.join?.(old);
      const clients = [{ port, oldSockets: 1 }];
      return { ...ownCalls(), record, clients, http: { port: httpPort, oldSockets: 1 }, store: 0 };
    },
    ready: (() => script.ready?.(old) ?? "") as () => string,
    listening: () => void script.listening?.(old),
    applied: () => {},
    stopping: () => false,
    left: () => Promise.resolve(),
  };
  const calls = openChannel<NewCalls>(connection, own, () => isOpen = false);
  const isServing = () => next.stderr.includes("serving on");
  await next.waitFor(isServing).catch(() => {});
  const [fences, proxies] = [await loadFences(store), await loadProxies(store)];
  const whileServing = [fences, proxies.map(({ state }) => state)];
  const { code } = await within(next.end("SIGINT"));
  const left = [await loadFences(store), (await loadProxies(store)).map(({ id }) => id)];
  return { code, isServing: isServing(), addr, whileServing, left };
}

Deno.test("when the old process ends while the new one joins it, the new one serves, and leaves nothing", async () => {
  const end = await takeOver({
    join: async (old) => {
      await old.leave();
      old.endIn(100);
      throw new Error("its coordinator does not answer");
    },
  });
  assertEquals([end.isServing, end.code, end.left], [true, 0, [[], []]]);
});

Deno.test("when the old process ends instead of letting the new one serve, that serves behind a fence of its own", async () => {
  const end = await takeOver({
    ready: async (old) => {
      await old.leave();
      old.endIn(100);
      throw new Error("it is ending");
    },
  });
  assertEquals([end.isServing, end.whileServing[0]], [true, [end.addr]]);
  assertEquals([end.code, end.left], [0, [[], []]]);
});

Deno.test("a new process that is stopped while the old one ends in the middle of its joining leaves nothing", async () => {
  const end = await takeOver({
    join: async (old) => {
      old.next.signal("SIGINT");
      await old.leave();
      old.end();
    },
  });
  assertEquals([end.isServing, end.left], [false, [[], []]]);
});

Deno.test("a new process that is stopped when the old one was killed a moment ago leaves neither entry nor fence", async () => {
  const end = await takeOver({
    listening: async (old) => {
      await old.next.waitFor(() => old.next.stderr.includes("serving on"));
      old.next.signal("SIGSTOP");
      old.end(false);
      old.next.signal("SIGINT");
      old.next.signal("SIGCONT");
      await old.next.waitFor(() => old.next.stderr.includes("no client is left"));
      await delay(500); // so long does the kernel take to end all of its threads
      old.prove();
    },
  });
  assertEquals([end.isServing, end.left], [true, [[], []]]);
});
