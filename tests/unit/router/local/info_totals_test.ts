/**
 * How the INFO of several masters becomes one.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  commandStats,
  errorStats,
  keyspace,
  latencyStats,
  moduleLines,
  readMasterInfo,
  sectionOf,
} from "../../../../src/router/local/info_totals.ts";

function masterOf(hostname: string, section: string, ...lines: string[]) {
  return readMasterInfo(hostname, `# ${section}\r\n${lines.map((line) => `${line}\r\n`).join("")}`);
}

function memoryOf(...lines: string[]) {
  return masterOf("h", "Memory", ...lines);
}

Deno.test("numbers are added, and what people read is made from the sums", () => {
  const masters = [
    memoryOf("used_memory:1000", "used_memory_human:1000B", "used_memory_peak:3000"),
    memoryOf("used_memory:1048", "used_memory_human:1.02K", "used_memory_peak:1096"),
  ];
  assertEquals(sectionOf("memory", masters, new Map()), [
    ["used_memory", "2048"],
    ["used_memory_human", "2.00K"],
    ["used_memory_peak", "4096"],
    ["used_memory_peak_human", "4.00K"],
  ]);
});

Deno.test("a limit is the sum, and none when one master has none", () => {
  const of = (...limits: number[]) =>
    sectionOf("memory", limits.map((limit) => memoryOf(`maxmemory:${limit}`)), new Map())[0];
  assertEquals(of(100, 200), ["maxmemory", "300"]);
  assertEquals(of(100, 0), ["maxmemory", 0]);
});

Deno.test("what is wrong at one master is shown, and memory counts once for each machine", () => {
  const one = masterOf("a", "Memory", "total_system_memory:5", "maxmemory_policy:noeviction");
  const two = masterOf("a", "Memory", "total_system_memory:5", "maxmemory_policy:allkeys-lru");
  const three = masterOf("b", "Memory", "total_system_memory:7", "maxmemory_policy:noeviction");
  assertEquals(sectionOf("memory", [one, two, three], new Map()), [
    ["total_system_memory", "12"],
    ["total_system_memory_human", "12B"],
    ["maxmemory_policy", "allkeys-lru"],
  ]);
});

Deno.test("fields of other versions are shown when all masters say the same, replicas never", () => {
  const lines = ["slave0:ip=1.2.3.4", "new_field:1"];
  const same = [masterOf("a", "Replication", ...lines), masterOf("b", "Replication", ...lines)];
  const own = new Map([["role", "master"]]);
  assertEquals(sectionOf("replication", same, own), [["role", "master"], ["new_field", "1"]]);
  const other = [same[0]!, masterOf("b", "Replication", "new_field:2")];
  assertEquals(sectionOf("replication", other, own), [["role", "master"]]);
});

Deno.test("statistics of commands, errors and latencies, keys and modules of all masters", () => {
  const one = readMasterInfo(
    "a",
    "# Commandstats\r\ncmdstat_get:calls=1,usec=10,usec_per_call=10.00,rejected_calls=1,failed_calls=0\r\n" +
      "# Errorstats\r\nerrorstat_ERR:count=2\r\n" +
      "# Latencystats\r\nlatency_percentiles_usec_get:p50=1.003,p99=9.023\r\n" +
      "# Keyspace\r\ndb10:keys=1,expires=1,avg_ttl=100\r\ndb2:keys=3,expires=0,avg_ttl=0\r\n" +
      "# Modules\r\nmodule:name=a,ver=1\r\nmodule:name=b,ver=1\r\n",
  );
  const two = readMasterInfo(
    "b",
    "# Commandstats\r\ncmdstat_get:calls=3,usec=10,usec_per_call=3.33,rejected_calls=0,failed_calls=2\r\n" +
      "cmdstat_set:calls=1,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0\r\n" +
      "# Errorstats\r\nerrorstat_ERR:count=3\r\nerrorstat_OOM:count=1\r\n" +
      "# Latencystats\r\nlatency_percentiles_usec_get:p50=2.007,p99=8.031\r\n" +
      "# Keyspace\r\ndb10:keys=2,expires=3,avg_ttl=300\r\n" +
      "# Modules\r\nmodule:name=b,ver=1\r\n",
  );
  const masters = [one, two];
  assertEquals(commandStats(masters), [
    ["cmdstat_get", "calls=4,usec=20,usec_per_call=5.00,rejected_calls=1,failed_calls=2"],
    ["cmdstat_set", "calls=1,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0"],
  ]);
  assertEquals(errorStats(masters), [["errorstat_ERR", "count=5"], ["errorstat_OOM", "count=1"]]);
  assertEquals(latencyStats(masters), [["latency_percentiles_usec_get", "p50=2.007,p99=9.023"]]);
  assertEquals(keyspace(masters), [
    ["db2", "keys=3,expires=0,avg_ttl=0"],
    ["db10", "keys=3,expires=4,avg_ttl=250"],
  ]);
  assertEquals(moduleLines(masters), [["module", "name=b,ver=1"]]);
});
