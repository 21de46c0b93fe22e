/**
 * What the audit trail says of a request, and what it never says.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  auditNote,
  ruleWithoutPassword,
  withoutRulePasswords,
} from "../../../../src/dashboard/audit/audit_note.ts";

const SENDER = { who: "alice", address: "10.0.0.1" };

function note(path: string, body: string, headers: Record<string, string> = {}) {
  const request = new Request(`http://here${path}`, { method: "POST", headers });
  return auditNote(request, body, SENDER, { status: 200, error: "" });
}

Deno.test("a note has who, what and how it ended, in one line", () => {
  assertEquals(note("/api/migrate?x=1", '{"from":0,"to":9,"new_group":2}'), {
    who: "alice",
    address: "10.0.0.1",
    by: "api",
    request: "POST /api/migrate",
    arguments: "x=1 from=0 to=9 new_group=2",
    status: 200,
    end: "ok",
  });
  const request = new Request("http://here/api/slot", { method: "POST" });
  const failed = auditNote(request, "", SENDER, { status: 500, error: "slot 0\nis not offline\n" });
  assertEquals(failed.end, "slot 0 is not offline");
});

Deno.test("passwords and tokens are not in it, nor a body that may be anything", () => {
  const notes = [
    note("/api/users", '{"name":"bob","password":"geheim"}'),
    note("/api/x?token=geheim", '{"new_password":"geheim","Secret":["geheim"]}'),
    note("/api/users", 'password: "geheim"'),
    note("/api/users", '["geheim"]'),
    note("/api/redis_users/bob", '{"rules":["on",">geheim","#geheim","~k:*"]}'),
    note("/api/redis_users/import", '{"text":"user bob on >geheim ~*"}'),
    note("/api/redis_users/bob", '{"rules":["on >my geheim ~*",">my, geheim"]}'),
  ];
  for (const each of notes) assert(!JSON.stringify(each).includes("geheim"), each.arguments);
  assertEquals(notes[0]!.arguments, "name=bob password=***");
  assertEquals(notes[2]!.arguments, "body of 18 characters");
  assertEquals(notes[4]!.arguments, 'rules=["on",">***","#***","~k:*"]');
});

Deno.test("it says whether the page, our own commands, a proxy or something else sent it", () => {
  const by = (headers: Record<string, string>) => note("/api/slot", "", headers).by;
  assertEquals(by({ "sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0" }), "page");
  assertEquals(by({ "user-agent": "codis-proxy cli" }), "cli");
  assertEquals(by({ "user-agent": "codis-proxy proxy" }), "proxy");
  assertEquals(by({ "user-agent": "curl/8" }), "api");
});

Deno.test("it is short, whatever was sent", () => {
  const long = note("/api/migrate", JSON.stringify({ addr: "x".repeat(60_000) }));
  assert(JSON.stringify(long).length < 700);
  const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
  assertEquals(note("/api/migrate", `{"from":0,"x":${deep}}`).arguments, "from=0 x=…");
});

Deno.test("an error that quotes rules of a Redis user is told without passwords", () => {
  const told = (text: string, path = "/api/redis_users/bob") => withoutRulePasswords(path, text);
  const wrong = (rule: string) => `Error in ACL SETUSER modifier '${rule}': Syntax error`;
  assertEquals(told(wrong("on >it's geheim ~*")), wrong("on >***"));
  assertEquals(told(wrong("+nosuch")), wrong("+nosuch"));
  assertEquals(told(wrong("geheim")), wrong("***"), "the > was forgotten");
  assertEquals(["geheim", "on", "nopass", "~k", ">a"].map(ruleWithoutPassword), [
    ...["***", "on", "nopass", "~k", ">***"],
  ]);
  assertEquals(told("send Bearer <token>"), "send Bearer <token>");
  assertEquals(told(wrong("a>b"), "/api/slot_rules"), wrong("a>b"));
});
