/**
 * Who changes the users: one change after the other, kept first, then in force in all workers, then answered.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readAclFile } from "../../../src/acl/acl_file.ts";
import { Users, type UsersUpdate } from "../../../src/acl/users.ts";
import { UsersOwner, type UsersSource } from "../../../src/acl/users_owner.ts";

/** A source that refuses what it is told to, and remembers. */
class ScriptedSource implements UsersSource {
  readonly kept: string[] = [];
  refusal = "";
  text = "";

  load() {
    return Promise.resolve(readAclFile(this.text, "users.acl"));
  }

  save(lines: readonly string[]): Promise<string> {
    this.text = lines.join("\n");
    return Promise.resolve("");
  }

  keep({ changed, deleted }: UsersUpdate): Promise<string> {
    if (this.refusal === "") this.kept.push(...changed.map(({ name }) => `+${name}`), ...deleted);
    return Promise.resolve(this.refusal);
  }
}

Deno.test("a change is answered when every worker has it, in the order in which they were asked for", async () => {
  const told: string[] = [];
  const waiting: (() => void)[] = [];
  const owner = new UsersOwner(new Users([""]), ({ changed }) => {
    told.push(...changed.map(({ name }) => name));
    return new Promise((resolve) => waiting.push(resolve));
  });
  const answered: string[] = [];
  for (const name of ["a", "b"]) {
    owner.change({ kind: "set", name, rules: ["on"] }, 1).then(() => answered.push(name));
  }
  for (const expected of [["a"], ["a", "b"]]) {
    while (waiting.length === 0) await Promise.resolve();
    assertEquals(told, expected);
    assertEquals(answered, expected.slice(0, -1));
    waiting.shift()!();
  }
  while (answered.length < 2) await Promise.resolve();
});

Deno.test("a change that cannot be kept is in force nowhere, and one that a worker misses is told", async () => {
  let failure = "";
  const owner = new UsersOwner(
    new Users([""]),
    () => failure === "" ? Promise.resolve() : Promise.reject(new Error(failure)),
  );
  const source = owner.source = new ScriptedSource();
  const set = (name: string) => owner.change({ kind: "set", name, rules: ["on"] }, 1);
  source.refusal = "ERR the store cannot be reached";
  assertEquals(await set("a"), { error: source.refusal, deleted: 0 });
  assertEquals(owner.users.get("a"), undefined);
  source.refusal = "";
  failure = "worker 1 does not answer";
  assertEquals((await set("a")).error, "ERR worker 1 does not answer");
  failure = "";
  assertEquals((await set("b")).error, "");
  assertEquals(source.kept, ["+a", "+b"]);
  assertEquals(await owner.change({ kind: "delete", names: ["b", "c"] }, 1), {
    error: "",
    deleted: 1,
  });
});

Deno.test("loading replaces all users or none", async () => {
  const owner = new UsersOwner(new Users(["secret"]), () => Promise.resolve());
  assertStringIncludes(
    (await owner.change({ kind: "load" }, 1)).error,
    "not configured to use an ACL file",
  );
  const source = owner.source = new ScriptedSource();
  await owner.change({ kind: "set", name: "old", rules: ["on"] }, 1);
  source.text = "user a on\nuser b +nosuch";
  assertStringIncludes(
    (await owner.change({ kind: "load" }, 1)).error,
    "no change to the previously",
  );
  assertEquals(owner.users.all().map(({ name }) => name), ["default", "old"]);
  source.text = "user a on";
  assertEquals((await owner.change({ kind: "load" }, 1)).error, "");
  assertEquals(owner.users.all().map(({ name }) => name), ["a", "default"]);
  assertEquals(owner.users.default.isNoPass, false); // the configured password stays
});
