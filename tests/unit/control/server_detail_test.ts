/** What is read of a server's long answers. */

import { assertEquals } from "@std/assert";
import { commandsIn, connectionsIn, settingsIn } from "../../../src/control/server_detail.ts";

Deno.test("commands have their counts, and percentiles where the server has them", () => {
  const info = {
    redis_version: "7.0.15",
    "cmdstat_config|get": "calls=2,usec=90,usec_per_call=45.00,rejected_calls=0,failed_calls=1",
    cmdstat_get: "calls=7,usec=21,usec_per_call=3.00",
    latency_percentiles_usec_get: "p50=2.007,p99=9.023,p99.9=9.023",
  };
  const [get, config] = commandsIn(info);
  const { name, calls, usecs, failed, p50_usecs, p99_usecs } = get!;
  assertEquals([name, calls, usecs, failed, p50_usecs, p99_usecs], [
    "get",
    7,
    21,
    null,
    2.007,
    9.023,
  ]);
  assertEquals([config!.name, config!.failed, config!.p50_usecs], ["config get", 1, null]);
});

Deno.test("connections come by how long they are idle, with whatever is in their names", () => {
  const list =
    "id=3 addr=10.0.0.1:5 name=a=b idle=9 cmd=get\nid=4 addr=[::1]:6 name= idle=0 cmd=\n";
  assertEquals(connectionsIn(list), [
    { id: "4", addr: "[::1]:6", name: "", idle: "0", cmd: "" },
    { id: "3", addr: "10.0.0.1:5", name: "a=b", idle: "9", cmd: "get" },
  ]);
});

Deno.test("settings come without passwords", () => {
  const reply = [
    "requirepass",
    "s3cret",
    "masterauth",
    "",
    "tls-key-file-pass",
    "x",
    "dir",
    "/data",
  ];
  assertEquals(settingsIn(reply), {
    dir: "/data",
    masterauth: "",
    requirepass: "(set)",
    "tls-key-file-pass": "(set)",
  });
});
