/**
 * What the embedded coordinator keeps when processes die, pause or meddle at the worst moment.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { ConnectionLossError, CoordinatorError } from "../../../src/coordinator/errors.ts";
import { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { CoordinatorProcess } from "../../support/coordinator_process.ts";
import { firstOf, until } from "../../support/deadline.ts";

async function withFolder(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function withStore(
  dir: string,
  body: (coordinator: EmbeddedCoordinator) => Promise<void>,
): Promise<void> {
  const coordinator = await EmbeddedCoordinator.open({ dir, callTimeoutMs: 1_000 });
  try {
    await body(coordinator);
  } finally {
    await coordinator.close();
  }
}

Deno.test("embedded store loses nothing when its writer is killed at any moment", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (reader) => {
      await reader.create("/n", "0");
      let least = 0;
      for (let round = 0; round < 12; round++) {
        const writer = await CoordinatorProcess.start(`embedded_dir = ${dir}`);
        const watch = reader.watchData("/n");
        const writing = writer.call("increment", "/n", 1_000_000).catch(() => {});
        await firstOf(watch, (entry) => Number(entry!.data) > least + round);
        await writer.kill();
        await writing;
        watch.close();
        // What was seen once stays, and the store takes new writes.
        const { data, version } = await reader.read("/n");
        assert(Number(data) > least);
        least = Number(data);
        await reader.write("/n", data, version);
      }
    });
    await withStore(dir, async (later) => {
      assert(Number((await later.read("/n")).data) > 0);
    });
  }));

Deno.test("embedded store keeps exactly what it has acknowledged when the disk is full", async () => {
  for (const blocks of [200, 230, 260, 290]) {
    await withFolder(async (dir) => {
      await withStore(dir, async (reader) => {
        await reader.create("/n", "");
        await using writer = await CoordinatorProcess.start(`embedded_dir = ${dir}`, blocks);
        const made = await writer.call("createTogether", "/n", "z".repeat(1_000)) as string[];
        assertEquals(await reader.children("/n"), made.sort());
        assertEquals(await writer.call("children", "/n"), made);
        // There is room again.
        await reader.create("/n/later", "");
        assertEquals(await writer.call("children", "/n"), [...made, "later"]);
      });
      await withStore(dir, async (later) => {
        assertEquals((await later.children("/n")).at(-1), "later");
      });
    });
  }
});

Deno.test("embedded store survives a change that was cut at any byte", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) => {
      await coordinator.create("/a", "whole");
    });
    const journal = `${dir}/journal`;
    const whole = await Deno.readFile(journal);
    await withStore(dir, async (coordinator) => {
      await coordinator.create("/b", "cut");
    });
    const longer = await Deno.readFile(journal);
    assert(longer.length > whole.length);
    for (let size = whole.length; size < longer.length; size++) {
      await Deno.writeFile(journal, longer.subarray(0, size));
      await withStore(dir, async (coordinator) => {
        assertEquals(await coordinator.children("/"), ["a"], `cut at ${size}`);
        await coordinator.create("/c", "");
        assertEquals(await coordinator.children("/"), ["a", "c"]);
      });
      await withStore(dir, async (coordinator) => {
        assertEquals(await coordinator.children("/"), ["a", "c"]);
      });
    }
  }));

Deno.test("embedded store refuses to drop changes behind damaged ones", () =>
  withFolder(async (dir) => {
    const journal = `${dir}/journal`;
    await withStore(dir, async (coordinator) => {
      for (const data of ["AAAA", "BBBB", "CCCC"]) await coordinator.create(`/${data}`, data);
    });
    const text = await Deno.readTextFile(journal);
    const begin = text.lastIndexOf("\n", text.indexOf("AAAA")) + 1;
    for (const damaged of ["AAAA", "AAAA BBBB"]) {
      const bad = damaged.split(" ").reduce((all, each) => all.replaceAll(each, "AXAA"), text);
      await Deno.writeTextFile(journal, bad);
      await assertRejects(
        () => EmbeddedCoordinator.open({ dir }),
        CoordinatorError,
        `is damaged at byte ${begin}, line ${text.slice(0, begin).split("\n").length}`,
      );
      assertEquals(await Deno.readTextFile(journal), bad);
    }
    // Damaged while it is open.
    await Deno.writeTextFile(journal, text);
    await withStore(dir, async (coordinator) => {
      const bad = `not whole\n${text.split("\n").at(-2)}\n`;
      await Deno.writeTextFile(journal, bad, { append: true });
      await assertRejects(() => coordinator.create("/c", ""), ConnectionLossError, "is damaged at");
      assertEquals(await Deno.readTextFile(journal), text + bad);
    });
  }));

Deno.test("embedded store ignores and removes what a crash left half-made", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) => {
      await coordinator.create("/a", "");
    });
    await Deno.writeTextFile(`${dir}/journal.new`, "half a snap");
    await Deno.writeTextFile(`${dir}/owners/1-dead`, "");
    await Deno.writeTextFile(`${dir}/owners/2-dead.new`, "");
    await withStore(dir, async (coordinator) => {
      assertEquals(await coordinator.children("/"), ["a"]);
      const left = [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
      assertEquals(left, ["journal", "lock", "owners"]);
      assertEquals([...Deno.readDirSync(`${dir}/owners`)].length, 1);
    });
    assertEquals([...Deno.readDirSync(`${dir}/owners`)].length, 0);
  }));

Deno.test("embedded store ends the sessions of dead processes when it is opened", () =>
  withFolder(async (dir) => {
    const owner = await CoordinatorProcess.start(`embedded_dir = ${dir}`);
    await owner.call("create", "/e/own", "", "ephemeral");
    await owner.kill();
    await withStore(dir, async (coordinator) => {
      await until(async () => (await coordinator.children("/e")).length === 0);
      assertEquals([...Deno.readDirSync(`${dir}/owners`)].length, 1);
    });
  }));

Deno.test("embedded store stays small, and whole for everybody, while it is written anew", () =>
  withFolder(async (dir) => {
    await using other = await CoordinatorProcess.start(`embedded_dir = ${dir}`);
    await withStore(dir, async (coordinator) => {
      const watch = coordinator.watchData("/big");
      await other.call("create", "/kept/n-", "kept", "sequential");
      await other.call("create", "/own", "mine", "ephemeral");
      await coordinator.create("/big", "");
      for (let i = 0; i < 12; i++) {
        await other.call("write", "/big", `${i}`.padEnd(100_000, "x"));
        await coordinator.write("/big", `${i}`.padEnd(100_000, "y"));
      }
      const { size } = await Deno.stat(`${dir}/journal`);
      assert(size < 1_400_000, `${size} bytes are left of 2 400 000`);
      assertEquals(await other.call("read", "/big"), await coordinator.read("/big"));
      assertEquals(await coordinator.children("/kept"), ["n-0000000000"]);
      assertEquals(await other.call("create", "/kept/n-", "", "sequential"), "/kept/n-0000000001");
      await firstOf(watch, (entry) => entry?.data.startsWith("11y") === true);
      watch.close();
    });
    await withStore(dir, async (coordinator) => {
      assertEquals((await coordinator.read("/own")).data, "mine");
    });
  }));

Deno.test("embedded store keeps the entries of a paused process", () =>
  withFolder(async (dir) => {
    await using owner = await CoordinatorProcess.start(`embedded_dir = ${dir}`);
    await owner.call("create", "/e", "", "ephemeral");
    await withStore(dir, async (coordinator) => {
      owner.signal("SIGSTOP");
      // Longer than several looks at the owners.
      await delay(1_500);
      assertEquals((await coordinator.read("/e")).data, "");
      owner.signal("SIGCONT");
    });
    assertEquals(await owner.call("read", "/e").then(() => "there"), "there");
  }));

Deno.test("embedded store answers in time when another process holds its lock", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) => {
      await coordinator.create("/a", "1");
      const holder = await Deno.open(`${dir}/lock`, { write: true });
      await holder.lock(true);
      const began = performance.now();
      await assertRejects(
        () => coordinator.write("/a", "2"),
        ConnectionLossError,
        'cannot write "/a": not done within 1000 ms',
      );
      assert(performance.now() - began < 3_000);
      assertEquals((await coordinator.read("/a")).data, "1");
      holder.close();
      await coordinator.write("/a", "3");
    });
  }));

Deno.test("embedded store is lost and found again when its folder is wiped", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) => {
      const states: string[] = [];
      coordinator.onState((state) => states.push(state));
      await coordinator.create("/e", "", "ephemeral");
      const watch = coordinator.watchData("/e");
      await firstOf(watch, (entry) => entry !== undefined);
      for (const name of ["journal", "lock", "owners"]) {
        await Deno.remove(`${dir}/${name}`, { recursive: true });
      }
      await assertRejects(() => coordinator.read("/e"), ConnectionLossError);
      assertEquals(states, ["disconnected"]);
      await withStore(dir, async (other) => {
        await firstOf(watch, (entry) => entry === undefined);
        assertEquals(states, ["disconnected", "connected"]);
        await coordinator.create("/e", "again", "ephemeral");
        assertEquals((await other.read("/e")).data, "again");
        await delay(600);
        assertEquals((await other.read("/e")).data, "again");
      });
      watch.close();
    });
  }));

Deno.test("embedded store says why it cannot be opened", () =>
  withFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    await assertRejects(
      () => EmbeddedCoordinator.open({ dir: `${dir}/file` }),
      CoordinatorError,
      `cannot open embedded_dir "${dir}/file": `,
    );
    await Deno.mkdir(`${dir}/store`);
    await Deno.writeTextFile(`${dir}/store/journal`, "not ours");
    await assertRejects(
      () => EmbeddedCoordinator.open({ dir: `${dir}/store` }),
      CoordinatorError,
      "is damaged at byte 0, line 1",
    );
    for (const place of ["/proc/self/store", "/dev/store", "/sys/store"]) {
      const { message } = await assertRejects(
        () => EmbeddedCoordinator.open({ dir: place }),
        CoordinatorError,
        "files below /dev, /proc and /sys cannot be used",
      );
      assertEquals(message.includes("allow-all"), false);
    }
    const long = await assertRejects(
      () => EmbeddedCoordinator.open({ dir: `${dir}/${"x".repeat(3_000)}` }),
      CoordinatorError,
    );
    assert(long.message.length < 400, long.message);
  }));

Deno.test("embedded store names file and line where a journal was written into it once more", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) => {
      await coordinator.create("/a", "1");
      await coordinator.create("/b", "2");
    });
    const journal = `${dir}/journal`;
    const text = await Deno.readTextFile(journal);
    const lines = text.split("\n").slice(0, -1);
    for (
      const [more, line] of [[text, 1], [`${lines.at(-1)}\n`, 1], [`${lines[1]}\n`, 1]] as const
    ) {
      await Deno.writeTextFile(journal, text + more);
      await assertRejects(
        () => EmbeddedCoordinator.open({ dir }),
        CoordinatorError,
        `journal "${await Deno.realPath(dir)}/journal" is damaged at byte ${text.length}, ` +
          `line ${lines.length + line}`,
      );
      assertEquals(await Deno.readTextFile(journal), text + more);
    }
    await Deno.writeTextFile(journal, text);
    await withStore(dir, async (coordinator) => {
      assertEquals(await coordinator.children("/"), ["a", "b"]);
    });
  }));

Deno.test("embedded store fills 1024 slots in one change, or none of them", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) => {
      const slots = Array.from(
        { length: 1024 },
        (_, i) => ({ path: `/slots/slot_${i}`, data: "x" }),
      );
      await coordinator.create("/slots/slot_1023", "taken");
      await assertRejects(() => coordinator.createAll(slots), CoordinatorError, "slot_1023");
      assertEquals(await coordinator.children("/slots"), ["slot_1023"]);
      await coordinator.deleteTree("/slots");
      await coordinator.createAll([{ path: "/slots", data: "" }, ...slots]);
      assertEquals((await coordinator.children("/slots")).length, 1024);
    });
  }));

Deno.test("embedded store does what was asked for at once in order; what fails, fails alone", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) =>
      await withStore(dir, async (other) => {
        const numbers = Array.from({ length: 100 }, (_, i) => i);
        const answers = await Promise.allSettled([
          ...numbers.map((i) => coordinator.create(`/n/${i - i % 10}`, `${i}`)),
          ...numbers.map(() => other.create("/s/", "", "sequential")),
          ...numbers.map(() => coordinator.create("/s/", "", "sequential")),
        ]);
        // Of ten that want one name, the first gets it.
        for (const i of numbers) {
          assertEquals(answers[i]!.status, i % 10 === 0 ? "fulfilled" : "rejected");
        }
        assertEquals((await other.read("/n/90")).data, "90");
        const names = answers.slice(100).map((answer) => (answer as { value?: string }).value);
        assertEquals(new Set(names).size, 200);
        assertEquals(names.slice(100), names.slice(100).toSorted());
      }));
    await withStore(dir, async (later) => {
      assertEquals((await later.children("/s")).length, 200);
    });
  }));

Deno.test("embedded store answers all that wait for its lock in time, and goes on", () =>
  withFolder(async (dir) => {
    await withStore(dir, async (coordinator) => {
      const holder = await Deno.open(`${dir}/lock`, { write: true, create: true });
      await holder.lock(true);
      const began = performance.now();
      const calls = Array.from({ length: 100 }, (_, i) => coordinator.create(`/${i}`, ""));
      for (const answer of await Promise.allSettled(calls)) assertEquals(answer.status, "rejected");
      assert(performance.now() - began < 3_000);
      holder.close();
      await coordinator.create("/a", "1");
      assertEquals(await coordinator.children("/"), ["a"]);
    });
  }));
