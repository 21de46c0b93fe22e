/**
 * Which keys are imported, and their names.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { KeyChoice } from "../../../src/import/key_choice.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ALL = { match: [], except: [], database: undefined, strip: "", prefix: "" };

Deno.test("a key is wanted by database, patterns and beginning", () => {
  const choice = new KeyChoice({
    ...ALL,
    match: ["a:*", "b:*"],
    except: ["*:tmp"],
    database: 2,
    strip: "a",
  });
  const wanted = (database: number, key: string) => choice.wants(database, bytes(key));
  assertEquals(
    [wanted(2, "a:1"), wanted(1, "a:1"), wanted(2, "b:1"), wanted(2, "a:tmp"), wanted(2, "ab")],
    [true, false, false, false, false],
  );
  assertEquals(new KeyChoice(ALL).wants(7, bytes("anything")), true);
});

Deno.test("a new name can be turned back into the old one", () => {
  const choice = new KeyChoice({ ...ALL, strip: "old:", prefix: "new:x:" });
  const renamed = choice.renamed(bytes("old:k"));
  assertEquals(renamed, bytes("new:x:k"));
  assertEquals(choice.original(renamed), bytes("old:k"));
  assertEquals(choice.original(bytes("other")), undefined);
});
