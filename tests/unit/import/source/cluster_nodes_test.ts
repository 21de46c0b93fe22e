/**
 * CLUSTER NODES: masters, slots that move, slots that nobody has.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { Secret } from "../../../../src/base/secret.ts";
import { parseNodes } from "../../../../src/import/source/cluster_nodes.ts";

const SERVER = {
  address: { hostname: "10.0.0.9", port: 7000 },
  user: "",
  password: new Secret(""),
  isTls: false,
};
const NODES = `
a1 10.0.0.2:7001@17001,host master - 0 1 2 connected 8192-16383
a0 :7000@17000 myself,master - 0 0 1 connected 0-8000 8001 8002-8191
a2 10.0.0.3:7002@17002 slave a0 0 1 2 connected
a3 10.0.0.4:7003@17003 master - 0 1 3 connected
`;

Deno.test("masters with slots are found; a node without address is the one that was asked", () => {
  const { masters, moving } = parseNodes(NODES, SERVER);
  assertEquals([...masters.keys()], ["redis://10.0.0.2:7001", "redis://10.0.0.9:7000"]);
  assertEquals(moving, undefined);
});

Deno.test("a slot that moves, another layout and slots without master are seen", () => {
  const moving = NODES.replace("8192-16383", "8192-16383 [77->-a0]");
  assertEquals(parseNodes(moving, SERVER).moving, "[77->-a0]");
  assertEquals(parseNodes(moving, SERVER).layout, parseNodes(NODES, SERVER).layout);
  const missing = NODES.replace("8192-16383", "8192-16382");
  assertThrows(() => parseNodes(missing, SERVER), Error, "no master for 1 slot of the cluster");
});
