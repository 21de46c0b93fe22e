/**
 * What texts of users in the store guarantee: nothing is lost, and no password is in them.
 *
 * @module
 */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  describeUser,
  hashedRules,
  recordsOfTexts,
  textOfRecord,
} from "../../../src/acl/stored_users.ts";
import { bytesOfText, Users } from "../../../src/acl/users.ts";
import type { UserRecord } from "../../../src/acl/user.ts";

function recordOf(name: string, ...words: string[]): UserRecord {
  return new Users([""]).planned(bytesOfText(name), words.map(bytesOfText)) as UserRecord;
}

Deno.test("a user is the same after it was stored", () => {
  for (
    const words of [
      [],
      ["on", ">one", ">two", "~a:*", "%R~b:*", "&ch:*", "+@all", "-@dangerous", "+config|get"],
      ["on", "nopass", "allkeys", "+get", "(+set", "~tmp:*)", "(%W~x +del)"],
      ["off", "~Ärger:*", "+select|0", "sanitize-payload"],
    ]
  ) {
    const record = recordOf("äli", ...words);
    assertEquals(recordsOfTexts([textOfRecord(record)]), [record]);
  }
});

Deno.test("names and rules that are no UTF-8 are refused, not changed", () => {
  const record = new Users([""]).planned("\xff", ["on"]) as UserRecord;
  assertThrows(() => textOfRecord(record), SyntaxError, "must be UTF-8");
});

Deno.test("what cannot be read is refused as a whole", () => {
  const texts = [{ name: "a", rules: "on +@all" }, { name: "b", rules: "on +@of-a-newer-version" }];
  assertThrows(() => recordsOfTexts(texts), SyntaxError, "redis_users:2");
});

Deno.test("rules are hashed before they are sent, and mean the same", () => {
  const words = ["on", ">my secret", "(+get", "~a)", "<other", "#nonsense"];
  const hashed = hashedRules(words);
  assertMatch(hashed.join(" "), /^on #\w{64} \(\+get ~a\) !\w{64} #nonsense$/);
  assertEquals(hashed.join().includes("secret") || hashed.join().includes("other"), false);
  assertEquals(recordOf("a", ...hashed.slice(0, 3)), recordOf("a", ...words.slice(0, 4)));
});

Deno.test("people see no password and no hash", () => {
  const { rules, ...shown } = describeUser(textOfRecord(recordOf("a", "on", ">x", "~*", "+get")));
  assertEquals(shown, { on: true, nopass: false, passwords: 1 });
  assertEquals(rules, "~* resetchannels -@all +get");
});
