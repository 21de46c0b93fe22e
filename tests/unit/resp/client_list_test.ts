/**
 * What CLIENT LIST of servers old and new says, and whose connections may bring keys.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { isRestoring, mayRestore, parseClientList } from "../../../src/resp/client_list.ts";

const LIST = [
  // Redis 7: a client, a mover, a connection of MIGRATE at work, one that has only greeted.
  "id=3 addr=127.0.0.1:40516 laddr=127.0.0.1:6379 fd=8 name= age=7 idle=0 flags=N db=0 cmd=client|list user=default",
  "id=4 addr=127.0.0.1:40518 laddr=127.0.0.1:6379 fd=9 name=codis-mover age=1 idle=1 flags=N db=0 cmd=select",
  "id=12 addr=127.0.0.1:40520 laddr=127.0.0.1:6379 fd=10 name= age=700 idle=7 flags=N db=0 cmd=restore user=default",
  "id=13 addr=127.0.0.1:40522 laddr=127.0.0.1:6379 fd=11 name= age=0 idle=0 flags=N db=0 cmd=NULL user=default",
  // Redis 2.8.
  "id=14 addr=10.0.0.1:5 fd=6 name= age=9 idle=0 flags=N db=0 sub=0 psub=0 multi=-1 cmd=slotsrestore",
  "",
].join("\n");

Deno.test("connections that have brought keys, or may yet, are told from others", () => {
  const lines = parseClientList(LIST);
  assertEquals(lines.map(({ id }) => id), [3, 4, 12, 13, 14]);
  assertEquals(lines[1], { id: 4, name: "codis-mover", cmd: "select", ageSeconds: 1 });
  assertEquals(lines.filter(isRestoring).map(({ id }) => id), [12, 14]);
  assertEquals(lines.filter(mayRestore).map(({ id }) => id), [13]);
});

Deno.test("what is no list of connections has none", () => {
  assertEquals(parseClientList("ERR unknown command"), []);
  assertEquals(parseClientList(""), []);
});
