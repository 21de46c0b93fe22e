/**
 * Users as a set: what a change makes of them, and that records and lines say all of a user.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readAclFile } from "../../../src/acl/acl_file.ts";
import { Users } from "../../../src/acl/users.ts";
import { usersOf } from "../../../src/acl/users_owner.ts";
import { someRules } from "../../support/acl_cases.ts";
import { chance as chanceOf, fuzzParameters } from "../../support/fuzz.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Users with random rules; those that are wrong change nothing. */
function someUsers(seed: number): Users {
  const chance = chanceOf(seed);
  const users = new Users([]);
  for (let i = 0; i < 20; i++) users.set(`u${i % 5}`, someRules(chance));
  return users;
}

Deno.test("another worker makes of the records the same users", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const users = someUsers(seed);
      const copy = usersOf(JSON.parse(JSON.stringify(users.records())), []);
      assertEquals(copy.list(), users.list());
      assertEquals(copy.records(), users.records());
    }),
    fuzzParameters(100),
  );
});

Deno.test("an ACL file gives the users that were saved, and the same ones when they are saved again", () => {
  const again = (lines: readonly string[]) => {
    const { users, errors } = readAclFile(lines.join("\n"), "users.acl");
    return errors.length > 0 ? null : usersOf(users, []).list();
  };
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const list = someUsers(seed).list();
      // First arguments may have what separates rules, and %RW~* becomes ~*: both as in Redis.
      const once = again(list);
      if (once === null) return;
      assertEquals(again(once), once);
      if (!list.some((line) => line.includes("~* "))) assertEquals(once, list);
    }),
    fuzzParameters(100),
  );
});

Deno.test("a user that stays is the same object, and one who loses everything is restricted", () => {
  const users = new Users(["secret"]);
  const before = users.default;
  assert(
    before.isUnrestricted && before.accepts(bytes("secret")) && !before.accepts(bytes("other")),
  );
  assertEquals(users.set("default", ["-@dangerous"]), "");
  assertEquals(users.default, before);
  assert(!before.isUnrestricted);
  assertEquals(users.set("default", ["+@all"]), "");
  assert(before.isUnrestricted);
  assertEquals(users.delete("default"), false);
});

Deno.test("a rule that is wrong changes nothing of its user", () => {
  const users = new Users([]);
  users.set("a", ["on", "~x"]);
  const line = users.get("a")!.line();
  assertEquals(
    users.set("a", ["~y", "+nosuch"]),
    "Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL",
  );
  assertEquals(users.get("a")!.line(), line);
});

Deno.test("commands of modules and later servers follow the rules that name them, and all commands", () => {
  const users = new Users([]);
  assertEquals(users.set("a", ["+json.get", "+@all", "-ft.search"]), "");
  assertEquals(users.get("a")!.line(), "user a off resetchannels +@all -ft.search");
  assertEquals(users.set("b", ["+json.get"]), "");
  assertEquals(users.get("b")!.line(), "user b off resetchannels -@all +json.get");
  assertEquals(
    users.set("c", ["+nosuch"]).endsWith("Unknown command or category name in ACL"),
    true,
  );
});
