/**
 * What the embedded coordinator does when its journal is damaged, removed or replaced while it is in use.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConnectionLossError, CoordinatorError } from "../../../src/coordinator/errors.ts";
import { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { isUnmade } from "../../../src/coordinator/embedded/folder.ts";
import { firstOf, until } from "../../support/deadline.ts";

/** Longest time until a journal that was put in place is in use, in milliseconds. */
const NOTICED_MS = 4_000;

/** A folder with one store, opened twice as by two processes. */
class SharedStore implements AsyncDisposable {
  readonly journal: string;
  readonly states: string[] = [];

  private constructor(
    readonly dir: string,
    readonly one: EmbeddedCoordinator,
    readonly two: EmbeddedCoordinator,
  ) {
    this.journal = `${dir}/journal`;
    one.onState((state) => this.states.push(state));
  }

  static async open(): Promise<SharedStore> {
    const dir = await Deno.makeTempDir();
    const open = () => EmbeddedCoordinator.open({ dir, callTimeoutMs: 1_000, recheckMs: 200 });
    return new SharedStore(dir, await open(), await open());
  }

  /** Waits until both see this value. */
  async untilBoth(path: string, data: string): Promise<void> {
    for (const each of [this.one, this.two]) {
      await until(
        async () => (await each.read(path).catch(() => undefined))?.data === data,
        NOTICED_MS,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.one.close();
    await this.two.close();
    await Deno.remove(this.dir, { recursive: true });
  }
}

Deno.test("embedded store that was damaged while in use is used again when a good journal is put in place", async () => {
  for (const damage of ["lines out of order", "not whole"]) {
    await using store = await SharedStore.open();
    const { one, two, journal } = store;
    for (const data of ["1", "2", "3"]) await one.create(`/${data}`, data);
    const good = await Deno.readTextFile(journal);
    const lines = good.trimEnd().split("\n");
    const bad = damage === "not whole" ? `x\n${lines.at(-1)}\n` : `${lines.at(-2)}\n`;
    await Deno.writeTextFile(journal, bad, { append: true });
    for (const each of [one, two]) {
      await assertRejects(() => each.create("/4", "4"), ConnectionLossError, "is damaged at byte");
    }
    await Deno.writeTextFile(`${journal}.copy`, good);
    await Deno.rename(`${journal}.copy`, journal);
    await store.untilBoth("/3", "3");
    await one.create("/4", "4");
    assertEquals((await two.read("/4")).data, "4");
    assertEquals([one.state, two.state], ["connected", "connected"]);
  }
});

Deno.test("embedded store says how its journal is mended, and is mended like that while it is in use", async () => {
  await using store = await SharedStore.open();
  const { one, journal } = store;
  for (const data of ["1", "2"]) await one.create(`/${data}`, data);
  const { size } = await Deno.stat(journal);
  const lines = (await Deno.readTextFile(journal)).trimEnd().split("\n");
  await Deno.writeTextFile(journal, `${lines.at(-2)}\n`, { append: true });
  const { message } = await assertRejects(() => one.read("/1"), ConnectionLossError);
  assertStringIncludes(message, `mv COPY "${await Deno.realPath(journal)}"`);
  assertStringIncludes(message, "codis-proxy config restore FILE");
  assertStringIncludes(message, `truncate -s ${size} "${await Deno.realPath(journal)}"`);
  assertEquals(one.state, "disconnected");
  await Deno.truncate(journal, size);
  await store.untilBoth("/2", "2");
  await one.create("/3", "3");
});

Deno.test("embedded store whose journal is written over with an older copy is that copy for everybody", async () => {
  await using store = await SharedStore.open();
  const { dir, one, two, journal } = store;
  await one.create("/n", "old");
  const copy = await Deno.readFile(journal);
  await one.write("/n", "new");
  for (const data of ["1", "2", "3"]) await one.create(`/${data}`, data);
  const watch = two.watchData("/n");
  await firstOf(watch, (entry) => entry?.data === "new");
  store.states.length = 0;
  await Deno.writeFile(journal, copy);
  await firstOf(watch, (entry) => entry?.data === "old");
  watch.close();
  await store.untilBoth("/n", "old");
  // Whoever follows the state looks at everything again.
  assertEquals(store.states, ["disconnected", "connected"]);
  await one.write("/n", "newer");
  await two.create("/later", "");
  const third = await EmbeddedCoordinator.open({ dir });
  assertEquals(await third.children("/"), ["later", "n"]);
  assertEquals((await third.read("/n")).data, "newer");
  await third.close();
});

Deno.test("embedded store never appends to a journal that others have cut or written over, and says why", async () => {
  await using store = await SharedStore.open();
  const { dir, one, journal } = store;
  for (const data of ["1", "2", "3", "4"]) await one.create(`/${data}`, data.repeat(2_000));
  const whole = await Deno.readFile(journal);
  const other = new Uint8Array(whole.length).fill("x".charCodeAt(0));
  for (const content of [whole.subarray(0, whole.length / 2), whole.subarray(0, 50), other]) {
    await Deno.writeFile(journal, content);
    const { message } = await assertRejects(() => one.create("/5", ""), ConnectionLossError);
    assertStringIncludes(message, "journal");
    assertEquals(message.includes("undefined"), false);
    assertEquals(await Deno.readFile(journal), content);
  }
  await Deno.writeFile(journal, whole);
  await until(() => one.create("/5", "").then(() => true, () => false), NOTICED_MS);
  const later = await EmbeddedCoordinator.open({ dir });
  assertEquals(await later.children("/"), ["1", "2", "3", "4", "5"]);
  await later.close();
});

Deno.test("embedded store whose journal was removed is made anew by nobody while a process has it open", async () => {
  await using store = await SharedStore.open();
  const { dir, one, journal } = store;
  await one.create("/1", "1");
  await Deno.rename(journal, `${journal}.away`);
  for (const mustExist of [true, false]) {
    await assertRejects(
      () => EmbeddedCoordinator.open({ dir, mustExist }),
      CoordinatorError,
      `journal "`,
    );
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name);
    assert(!names.includes("journal"), names.join());
  }
  const { message } = await assertRejects(() => one.read("/1"), ConnectionLossError);
  assertStringIncludes(message, "is not there; if there was one, put a good copy in its place");
  assertEquals(isUnmade(dir), false);
  await Deno.rename(`${journal}.away`, journal);
  await store.untilBoth("/1", "1");
});

Deno.test("embedded store that is not there is not made by whoever only reads", async () => {
  const dir = await Deno.makeTempDir();
  await assertRejects(
    () => EmbeddedCoordinator.open({ dir, mustExist: true }),
    CoordinatorError,
    "is not there",
  );
  assertEquals([...Deno.readDirSync(dir)], []);
  assertEquals(isUnmade(dir), true);
  await (await EmbeddedCoordinator.open({ dir })).close();
  assertEquals(isUnmade(dir), false);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("embedded store is read while it is being written to, and is never taken for one that was written over", async () => {
  await using store = await SharedStore.open();
  const { one, two } = store;
  await one.create("/a", "");
  const data = "x".repeat(200_000);
  let isDone = false;
  const reading = (async () => {
    let reads = 0;
    for (; !isDone; reads++) {
      assert((await one.read("/a")).data.length % 200_000 <= 1);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return reads;
  })();
  const writing = (async () => {
    for (let i = 0; i < 200; i++) await one.write("/a", data + (i % 2 === 0 ? "" : "y"));
  })();
  await Promise.all([writing.finally(() => isDone = true), reading]);
  assertEquals((await two.read("/a")).data, `${data}y`);
  assertEquals(store.states, []);
});
