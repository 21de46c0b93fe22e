import { assertEquals } from "@std/assert";
import { apiErrorOf } from "../../../../src/dashboard/page/api.js";

Deno.test("a refusal is told in the answer's own words, whoever has answered", () => {
  const told = [
    ['{"error":"log in","has_users":true}', "log in"],
    // Servers in front of the dashboard answer in their own forms.
    ['{"message":"Unauthorized"}', '{"message":"Unauthorized"}'],
    ['{"error":{"code":7}}', '{"error":{"code":7}}'],
    ["null", "null"],
    ["no such path\n", "no such path"],
    ["", "HTTP status 401"],
  ] as const;
  for (const [text, words] of told) {
    assertEquals(apiErrorOf(401, text).message, words);
    assertEquals(apiErrorOf(401, text).wantsToken, text === told[0][0]);
  }
  const { wantsToken, hasUsers, leader } = apiErrorOf(401, told[0][0]);
  assertEquals([wantsToken, hasUsers, leader], [true, true, ""]);
  assertEquals(apiErrorOf(503, '{"error":"stands by","leader":"b:1"}').leader, "b:1");
});
