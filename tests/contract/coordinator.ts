/**
 * What every coordinator guarantees, as one suite over a store that a subject makes.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import {
  type Coordinator,
  type Operation,
  OPERATIONS_MAX,
} from "../../src/coordinator/coordinator.ts";
import {
  BadVersionError,
  ClosedError,
  LockTimeoutError,
  NodeExistsError,
  NoNodeError,
  NotEmptyError,
} from "../../src/coordinator/errors.ts";
import { readFolder } from "../../src/coordinator/read_folder.ts";
import { CoordinatorProcess } from "../support/coordinator_process.ts";
import { firstOf, until, within } from "../support/deadline.ts";

// deno-lint-ignore no-explicit-any -- what assertRejects takes
type ErrorClass = new (...args: any[]) => Error;

/** A store of one test, empty at first. */
export interface ContractStore extends AsyncDisposable {
  /** The config.ini with which other processes open it. */
  readonly config: string;
  /** Opens one more session. */
  open(): Promise<Coordinator>;
}

/** One kind of coordinator. */
export interface ContractSubject {
  readonly name: string;
  /** Longest time until the entries of a killed process are gone. */
  readonly ownerEndMs: number;
  /** Digits of a sequential entry's number. */
  readonly sequenceDigits: number;
  start(): Promise<ContractStore>;
}

/**
 * Registers the suite.
 *
 * @param register Hands a test to `Deno.test`; called from the subject's own file, so that the tests
 * count as that file's.
 */
export function testCoordinator(
  subject: ContractSubject,
  register: (name: string, body: () => Promise<void>) => void,
): void {
  const test = (
    promise: string,
    body: (store: ContractStore, first: Coordinator, second: Coordinator) => Promise<void>,
  ) =>
    register(`${subject.name} coordinator ${promise}`, async () => {
      await using store = await subject.start();
      const first = await store.open();
      const second = await store.open();
      try {
        await body(store, first, second);
      } finally {
        await Promise.all([first.close(), second.close()]);
      }
    });

  // -- entries --

  test("shows a new entry, and the parents it made, to every session", async (_, first, second) => {
    assertEquals(await first.create("/a/b/c", "hello"), "/a/b/c");
    assertEquals((await second.read("/a/b/c")).data, "hello");
    assertEquals((await second.read("/a/b")).data, "");
    assertEquals(await second.children("/a"), ["b"]);
    await second.create("/a/b/d", "");
    assertEquals(await first.children("/a/b"), ["c", "d"]);
    assertEquals(await first.children("/a/b/c"), []);
  });

  test("refuses to create an entry twice", async (_, first, second) => {
    await first.create("/a", "one");
    await assertRejects(() => second.create("/a", "two"), NodeExistsError, '"/a"');
    assertEquals((await second.read("/a")).data, "one");
  });

  test("says so when an entry is not there", async (_, first) => {
    await first.create("/a", "");
    await assertRejects(() => first.read("/a/b"), NoNodeError, 'cannot read "/a/b"');
    await assertRejects(() => first.write("/a/b", ""), NoNodeError, 'cannot write "/a/b"');
    await assertRejects(() => first.delete("/a/b"), NoNodeError, 'cannot delete "/a/b"');
    await assertRejects(() => first.children("/a/b"), NoNodeError, 'cannot read "/a/b"');
  });

  test("writes by compare-and-set", async (_, first, second) => {
    await first.create("/a", "0");
    const { version } = await first.read("/a");
    const written = await first.write("/a", "1", version);
    assertNotEquals(written, version);
    assertEquals(await second.read("/a"), { data: "1", version: written });
    await assertRejects(() => second.write("/a", "2", version), BadVersionError);
    await assertRejects(() => second.delete("/a", version), BadVersionError);
    assertEquals((await first.read("/a")).data, "1");
    await second.write("/a", "3");
    await second.delete("/a", (await second.read("/a")).version);
    await assertRejects(() => first.read("/a"), NoNodeError);
  });

  test("deletes one entry only when it has no children", async (_, first) => {
    await first.create("/a/b", "");
    await assertRejects(() => first.delete("/a"), NotEmptyError);
    await first.delete("/a/b");
    await first.delete("/a");
    await assertRejects(() => first.read("/a"), NoNodeError);
  });

  test("does several things at once, or none of them", async (_, first, second) => {
    await first.create("/t/a", "a");
    await first.create("/t/b", "b");
    await first.create("/t/full/child", "");
    const { version } = await first.read("/t/a");
    await second.transact([
      { check: "/t/a", version },
      { create: "/t/c", data: "c" },
      { create: "/t/c/d", data: "d", isLeaf: true },
      { write: "/t/b", data: "b2" },
      { delete: "/t/full/child" },
    ]);
    assertEquals(await first.children("/t"), ["a", "b", "c", "full"]);
    assertEquals((await first.read("/t/b")).data, "b2");
    assertEquals((await first.read("/t/c/d")).data, "d");
    assertEquals(await first.children("/t/full"), []);

    await first.create("/t/full/child", "");
    const later = await first.write("/t/a", "a2", version);
    const harmless: Operation[] = [{ write: "/t/b", data: "b3" }, { create: "/t/e", data: "" }];
    const refused: [Operation, ErrorClass, string][] = [
      [{ check: "/t/a", version }, BadVersionError, '"/t/a"'],
      [{ write: "/t/a", data: "x", version }, BadVersionError, '"/t/a"'],
      [{ delete: "/t/a", version }, BadVersionError, '"/t/a"'],
      [{ check: "/t/none", version }, NoNodeError, '"/t/none"'],
      [{ write: "/t/none", data: "x" }, NoNodeError, '"/t/none"'],
      [{ delete: "/t/none" }, NoNodeError, '"/t/none"'],
      [{ create: "/t/none/x", data: "x" }, NoNodeError, '"/t/none"'],
      [{ create: "/t/a", data: "x" }, NodeExistsError, '"/t/a"'],
      [{ delete: "/t/full" }, NotEmptyError, '"/t/full"'],
    ];
    for (const [operation, kind, text] of refused) {
      for (const operations of [[operation, ...harmless], [...harmless, operation]]) {
        await assertRejects(() => second.transact(operations), kind, text);
      }
    }
    assertEquals((await first.read("/t/b")).data, "b2");
    assertEquals(await first.children("/t"), ["a", "b", "c", "full"]);
    await second.transact([{ write: "/t/a", data: "a3", version: later }, { delete: "/t/b" }]);
    assertEquals((await first.read("/t/a")).data, "a3");
    await second.transact([]);
  });

  test("refuses a transaction that is too long, or names a path twice", async (_, first) => {
    const many = Array.from({ length: OPERATIONS_MAX + 1 }, (_, i) => ({
      create: `/n${i}`,
      data: `${i}`,
    }));
    await assertRejects(() => first.transact(many), TypeError, "51 operations");
    await first.transact(many.slice(1));
    assertEquals((await first.children("/")).filter((name) => /^n\d/.test(name)).length, 50);
    await first.transact(many.slice(1).map(({ create }) => ({ delete: create })));
    await assertRejects(
      () => first.transact([{ create: "/a", data: "" }, { delete: "/a" }]),
      TypeError,
      '"/a" is named twice',
    );
  });

  test("lets one of two that check the same version win", async (_, first, second) => {
    await first.create("/epoch", "0");
    await first.create("/a", "");
    for (let round = 0; round < 20; round++) {
      const { version } = await first.read("/epoch");
      const outcomes = await Promise.allSettled(
        [first, second].map((each, i) =>
          each.transact([{ write: "/epoch", data: `${round} ${i}`, version }, {
            write: "/a",
            data: `${round} ${i}`,
          }])
        ),
      );
      const won = outcomes.findIndex(({ status }) => status === "fulfilled");
      assertEquals(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
      assertEquals((await first.read("/a")).data, `${round} ${won}`);
    }
  });

  test("deletes a whole tree, and does not mind when it is gone", async (_, first, second) => {
    for (const path of ["/t/a/b/c", "/t/a/d", "/t/e", "/tt"]) await first.create(path, path);
    await first.deleteTree("/t");
    await second.deleteTree("/t");
    await assertRejects(() => second.read("/t"), NoNodeError);
    await assertRejects(() => second.read("/t/a/b/c"), NoNodeError);
    assertEquals((await second.read("/tt")).data, "/tt");
  });

  test("reads all children of an entry as they are now", async (_, first, second) => {
    for (const path of ["/f/b", "/f/a", "/f/a/below", "/ff"]) await first.create(path, path);
    await first.create("/f/n-", "numbered", "sequential");
    const [numbered] = (await second.children("/f")).filter((name) => name.startsWith("n-"));
    const read = async () => [...await readFolder(second, "/f")];
    assertEquals(await read(), [["a", "/f/a"], ["b", "/f/b"], [numbered, "numbered"]]);
    await first.write("/f/b", "written");
    await first.delete(`/f/${numbered}`);
    await first.create("/f/0", "");
    assertEquals(await read(), [["0", ""], ["a", "/f/a"], ["b", "written"]]);
    assertEquals([...await readFolder(second, "/f/b")], []);
    await assertRejects(() => readFolder(second, "/g"), NoNodeError, 'cannot read "/g"');
  });

  test("keeps any name and any text", async (_, first, second) => {
    const names = [
      "127.0.0.1:6379",
      "[::1]:6379",
      "a b",
      "%2F",
      'q"\\',
      "ünï",
      "-",
      "a.",
      "#",
      "日本",
    ];
    const texts = [
      "",
      " ",
      '{"a":"b"}',
      "line\nline\r\n",
      "\u0000\u2028",
      "日本🎈",
      "x".repeat(512 * 1024),
    ];
    for (const name of names) await first.create(`/names/${name}`, name);
    assertEquals(await second.children("/names"), [...names].sort());
    for (const name of names) assertEquals((await second.read(`/names/${name}`)).data, name);
    await first.create("/text", "");
    for (const text of texts) {
      await first.write("/text", text);
      assertEquals((await second.read("/text")).data, text);
    }
  });

  test("takes deep paths", async (_, first, second) => {
    const path = "/d".repeat(100);
    await first.create(path, "deep");
    assertEquals((await second.read(path)).data, "deep");
    await second.deleteTree("/d");
    await assertRejects(() => first.read("/d"), NoNodeError);
  });

  test("refuses malformed paths", async (_, first) => {
    for (const path of ["", "a", "/a/", "//a", "/a//b", "/.", "/a/..", "/a\u0000", "/a\n"]) {
      await assertRejects(() => first.read(path), TypeError, "bad path");
      await assertRejects(() => first.create(path, ""), TypeError, "bad path");
      assertThrows(() => first.watchData(path), TypeError, "bad path");
    }
  });

  test("lets one of many creators win", async (store, first) => {
    await using third = await CoordinatorProcess.start(store.config);
    for (let round = 0; round < 10; round++) {
      const races = [
        first.create(`/race/${round}`, "us"),
        third.call("create", `/race/${round}`, "them"),
      ];
      const outcomes = await Promise.allSettled(races);
      assertEquals(outcomes.filter((outcome) => outcome.status === "fulfilled").length, 1);
      const lost = outcomes.find((outcome) => outcome.status === "rejected");
      assertEquals(lost?.reason.name, "NodeExistsError");
    }
  });

  test("loses no compare-and-set between processes", async (store, first) => {
    await using third = await CoordinatorProcess.start(store.config);
    await using fourth = await CoordinatorProcess.start(store.config);
    await first.create("/count", "0");
    await Promise.all([third, fourth].map((process) => process.call("increment", "/count", 40)));
    assertEquals((await first.read("/count")).data, "80");
  });

  // -- numbers --

  test(
    "numbers sequential entries in order, also those of several sessions",
    async (_, first, second) => {
      const paths: string[] = [];
      for (let i = 0; i < 6; i++) {
        paths.push(await (i % 2 === 0 ? first : second).create("/seq/n-", `${i}`, "sequential"));
      }
      for (const path of paths) {
        assert(/^\/seq\/n-\d+$/.test(path), path);
        assertEquals(path.length, "/seq/n-".length + subject.sequenceDigits);
      }
      assertEquals(paths, [...paths].sort());
      assertEquals(new Set(paths).size, 6);
      assertEquals((await second.read(paths[3]!)).data, "3");
    },
  );

  test("gives a number only once", async (_, first) => {
    const before = await first.create("/seq/", "", "sequential");
    await first.delete(before);
    const after = await first.create("/seq/", "", "sequential");
    assert(after > before, `${after} after ${before}`);
  });

  test("gives every process numbers of its own", async (store, first) => {
    await using third = await CoordinatorProcess.start(store.config);
    const calls = Array.from(
      { length: 20 },
      (_, i) =>
        i % 2 === 0
          ? first.create("/seq/", "", "sequential")
          : third.call("create", "/seq/", "", "sequential"),
    );
    assertEquals(new Set(await Promise.all(calls)).size, 20);
  });

  // -- ephemeral entries --

  test(
    "ends ephemeral entries with their session, and reports that to watches",
    async (store, first) => {
      const owner = await store.open();
      await owner.create("/e/own", "mine", "ephemeral");
      const numbered = await owner.create("/e/n-", "mine", "ephemeral_sequential");
      await first.create("/e/other", "", "ephemeral");
      const watch = first.watchData("/e/own");
      await firstOf(watch, (entry) => entry?.data === "mine");
      await owner.close();
      await firstOf(watch, (entry) => entry === undefined);
      await assertRejects(() => first.read(numbered), NoNodeError);
      assertEquals(await first.children("/e"), ["other"]);
    },
  );

  test("lets others write an ephemeral entry without making it theirs", async (store, first) => {
    const owner = await store.open();
    await owner.create("/e", "offline", "ephemeral");
    await first.write("/e", "online");
    assertEquals((await owner.read("/e")).data, "online");
    await owner.close();
    await assertRejects(() => first.read("/e"), NoNodeError);
  });

  test(
    "makes another session's ephemeral entry its own, and nobody sees it away",
    async (store, first, second) => {
      const owner = await store.open();
      await owner.create("/e/own", "old", "ephemeral");
      const seen: (string | undefined)[] = [];
      const watch = second.watchData("/e/own");
      const watching = (async () => {
        for await (const entry of watch) seen.push(entry?.data);
      })();
      await until(() => seen.includes("old"));
      const { version } = await first.read("/e/own");
      await first.adopt("/e/own", "new", version);
      await assertRejects(() => first.adopt("/e/own", "newer", version), BadVersionError);
      await owner.close();
      await until(() => seen.includes("new"));
      assertEquals((await second.read("/e/own")).data, "new");
      await first.adopt("/e/own", "newer");
      await until(() => seen.includes("newer"));
      assertEquals(await second.children("/e"), ["own"]);
      await first.close();
      await until(() => seen.at(-1) === undefined);
      watch.close();
      await watching;
      assertEquals(seen, ["old", "new", "newer", undefined]);
      await assertRejects(() => second.adopt("/e/own", ""), NoNodeError);
    },
  );

  test("ends ephemeral entries when their process is killed", async (store, first) => {
    const owner = await CoordinatorProcess.start(store.config);
    await owner.call("create", "/e/own", "", "ephemeral");
    await owner.call("create", "/stays", "");
    const watch = first.watchChildren("/e");
    await firstOf(watch, (names) => names.length === 1);
    const killed = performance.now();
    await owner.kill();
    await firstOf(watch, (names) => names.length === 0, subject.ownerEndMs);
    console.log(`entries gone ${Math.round(performance.now() - killed)} ms after kill -9`);
    assertEquals((await first.read("/stays")).data, "");
  });

  // -- watches --

  test("watches an entry through creation, change and deletion", async (_, first, second) => {
    const watch = first.watchData("/w/a");
    assertEquals(await within(watch.next()), { value: undefined, done: false });
    await second.create("/w/a", "1");
    await firstOf(watch, (entry) => entry?.data === "1");
    const version = await second.write("/w/a", "2");
    assertEquals(await firstOf(watch, (entry) => entry?.data === "2"), { data: "2", version });
    await second.delete("/w/a");
    await firstOf(watch, (entry) => entry === undefined);
    await second.create("/w/a", "3");
    await firstOf(watch, (entry) => entry?.data === "3");
    watch.close();
    assertEquals(await within(watch.next()), { value: undefined, done: true });
  });

  test("watches children before their parent is there", async (_, first, second) => {
    const watch = first.watchChildren("/w");
    assertEquals((await within(watch.next())).value, []);
    await second.create("/w/b", "");
    await firstOf(watch, (names) => names.join() === "b");
    await second.create("/w/a", "");
    await firstOf(watch, (names) => names.join() === "a,b");
    await second.create("/w/a/deeper", "");
    await second.deleteTree("/w/a");
    await firstOf(watch, (names) => names.join() === "b");
    await second.deleteTree("/w");
    await firstOf(watch, (names) => names.length === 0);
    watch.close();
  });

  test("never leaves a watch behind the last change", async (store, first) => {
    await using third = await CoordinatorProcess.start(store.config);
    await first.create("/w", "0");
    const last = 60;
    const writing = third.call("writeUpTo", "/w", last);
    // Watches begun at every moment of the writing, each must come to the end.
    const watches: Promise<unknown>[] = [];
    for (let isWriting = true; isWriting;) {
      const watch = first.watchData("/w");
      const end = firstOf(watch, (entry) => entry?.data === `${last}`).then(() => watch.close());
      watches.push(end);
      const pause = delay(3);
      isWriting = await Promise.race([writing.then(() => false), pause.then(() => true)]);
      await pause;
    }
    await Promise.all(watches);
    assert(watches.length > 3);
  });

  test("shows a watcher no value older than one it has seen", async (store, first) => {
    await using third = await CoordinatorProcess.start(store.config);
    await first.create("/w", "0");
    const watch = first.watchData("/w");
    const seen: number[] = [];
    const writing = third.call("writeUpTo", "/w", 60);
    await firstOf(watch, (entry) => seen.push(Number(entry!.data)) > 0 && entry!.data === "60");
    assertEquals(seen, [...seen].sort((a, b) => a - b));
    await writing;
    watch.close();
  });

  test("ends a watch when its session ends", async (store) => {
    const session = await store.open();
    await session.create("/w", "");
    const watch = session.watchChildren("/w");
    await within(watch.next());
    const pending = watch.next();
    await session.close();
    assertEquals(await within(pending), { value: undefined, done: true });
  });

  // -- locks --

  test("gives a lock to one at a time, first come first served", async (_, first, second) => {
    const order: number[] = [];
    const held = await first.lock("/lock", { data: "0", waitMs: 0 });
    const waiters: Promise<void>[] = [];
    for (let i = 1; i <= 4; i++) {
      const session = i % 2 === 0 ? first : second;
      waiters.push(
        session.lock("/lock", { data: `${i}`, waitMs: 20_000 }).then(async (lock) => {
          order.push(i);
          await lock.release();
        }),
      );
      await until(async () => (await first.children("/lock")).length === i + 1);
    }
    assertEquals(order, []);
    await held.release();
    await within(Promise.all(waiters));
    assertEquals(order, [1, 2, 3, 4]);
    assertEquals(await first.children("/lock"), []);
  });

  test("answers at once when it only tries a lock", async (_, first, second) => {
    const held = await first.lock("/lock", { data: "first", waitMs: 0 });
    await assertRejects(() => second.lock("/lock", { data: "", waitMs: 0 }), LockTimeoutError);
    assertEquals((await second.read(held.path)).data, "first");
    assertEquals((await second.children("/lock")).length, 1);
    await held.release();
    await held.release();
    await (await second.lock("/lock", { data: "", waitMs: 0 })).release();
  });

  test("stops waiting for a lock in time, and leaves the queue", async (_, first, second) => {
    const held = await first.lock("/lock", { data: "", waitMs: 0 });
    await assertRejects(() => second.lock("/lock", { data: "", waitMs: 100 }), LockTimeoutError);
    assertEquals((await first.children("/lock")).length, 1);
    await held.release();
  });

  test("frees a lock when its holder is killed", async (store, first) => {
    const holder = await CoordinatorProcess.start(store.config);
    await holder.call("lock", "/lock", { data: "", waitMs: 0 });
    const waiting = first.lock("/lock", { data: "", waitMs: subject.ownerEndMs });
    await holder.kill();
    await (await waiting).release();
  });

  test("keeps processes apart by a lock", async (store, first) => {
    await using third = await CoordinatorProcess.start(store.config);
    await using fourth = await CoordinatorProcess.start(store.config);
    await first.create("/count", "0");
    const counts = [third, fourth].map((process) => process.call("incrementLocked", "/count", 15));
    await Promise.all(counts);
    assertEquals((await first.read("/count")).data, "30");
  });

  // -- sessions --

  test("reports its state", async (store) => {
    const session = await store.open();
    const states: string[] = [];
    session.onState((state) => states.push(state));
    assertEquals(session.state, "connected");
    await session.close();
    assertEquals(states, ["closed"]);
    assertEquals(session.state, "closed");
  });

  test("refuses every call once it is closed", async (store) => {
    const session = await store.open();
    await session.close();
    await session.close();
    await assertRejects(() => session.create("/a", ""), ClosedError, "closed");
    await assertRejects(() => session.read("/a"), ClosedError);
    await assertRejects(() => session.write("/a", ""), ClosedError);
    await assertRejects(() => session.delete("/a"), ClosedError);
    await assertRejects(() => session.deleteTree("/a"), ClosedError);
    await assertRejects(() => session.children("/a"), ClosedError);
    await assertRejects(() => readFolder(session, "/a"), ClosedError);
    await assertRejects(() => session.lock("/a", { data: "", waitMs: 0 }), ClosedError);
    assertThrows(() => session.watchData("/a"), ClosedError);
    assertThrows(() => session.watchChildren("/a"), ClosedError);
  });

  test("keeps what was stored when every session has ended", async (store, first, second) => {
    await first.create("/kept", "yes");
    await first.create("/kept/seq-", "", "sequential");
    await first.create("/lost", "", "ephemeral");
    await Promise.all([first.close(), second.close()]);
    const later = await store.open();
    try {
      assertEquals((await later.read("/kept")).data, "yes");
      await assertRejects(() => later.read("/lost"), NoNodeError);
      await later.create("/kept/seq-", "", "sequential");
      assertEquals((await later.children("/kept")).length, 2);
    } finally {
      await later.close();
    }
  });
}
