/**
 * Passwords are kept as salted hashes, and checking them does not stop the process.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import {
  isPassword,
  NO_PASSWORD,
  scryptPassword,
  TooManyPasswordsError,
} from "../../../src/base/password_hash.ts";

Deno.test("a hash says nothing of the password, and only the password fits it", async () => {
  const [a, b] = [await scryptPassword("pässword 1"), await scryptPassword("pässword 1")];
  assertMatch(a, /^scrypt\$32768\$8\$1\$[\w+/]{22}==\$[\w+/]{43}=$/);
  assertNotEquals(a, b);
  assertEquals(await isPassword("pässword 1", a), true);
  // The same letters as another keyboard may send them.
  assertEquals(await isPassword("pa\u0308ssword 1", a), true);
  assertEquals(await isPassword("pässword 2", a), false);
  assertEquals(await isPassword("", NO_PASSWORD), false);
});

Deno.test("a stored hash that is none, or asks for too much memory, fits no password", async () => {
  for (const stored of ["", "x", "md5$1$1$1$AA==$AA==", "scrypt$1073741824$8$1$AA==$AA=="]) {
    assertEquals(await isPassword("", stored), false, stored);
  }
});

Deno.test("many passwords at once take turns, and too many are refused", async () => {
  const checks = Array.from({ length: 18 }, () => isPassword("x", NO_PASSWORD));
  await assertRejects(() => isPassword("x", NO_PASSWORD), TooManyPasswordsError);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  assertEquals((await Promise.all(checks)).includes(true), false);
  clearInterval(timer);
  assert(ticks > 10, `the process did something else ${ticks} times`);
  assertEquals(await isPassword("x", NO_PASSWORD), false);
});
