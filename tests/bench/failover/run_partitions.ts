/**
 * Cuts a real cluster in pieces, each program in a network of its own, and checks that no slot has two masters
 * for long, that a minority promotes nothing, and that all comes together again.
 *
 *     deno task bench:partitions --help
 *
 * @module
 */

import { Networks } from "./networks.ts";
import { PARTITIONS, runPartitions } from "./partitions.ts";
import { endedByUser, GivenOptions, stop } from "../options.ts";

const HELP = `deno task bench:partitions [options]

One group of a master and two replicas, 3 proxies, a dashboard with failover = auto, a coordinator, each
in a network namespace of its own; writers through every proxy that know which server acknowledged what.
Needs root, iproute2 and nftables. Exit code 1 when something is not as the table says, when two masters
acknowledge writes of one slot for longer than failover_after, or when all is not well after healing.

  --cases=all              numbers of the table below, with commas
  --seconds=10             how long packets are lost
  --after=2                failover_after, in seconds
  --replicas=0             min-replicas-to-write of the servers
  --coordinator=zookeeper  embedded or zookeeper; embedded files cannot be cut off
  --json                   print the results as JSON

`;

const names = Object.keys(PARTITIONS);
const CASES = names.map((name, i) => `  ${i + 1}`.padEnd(6) + name).join("\n");

async function main(): Promise<void> {
  const given = new GivenOptions(`${HELP}${CASES}`, {
    numbers: {
      cases: ["all", 1, names.length],
      seconds: [10, 1, 600],
      after: [2, 1, 60],
      replicas: [0, 0, 2],
    },
    words: ["coordinator"],
    switches: ["json"],
  });
  const isJson = given.isOn("json");
  const coordinator = given.word("coordinator", ["zookeeper", "embedded"]);
  const cases = (given.text("cases") ?? "all") === "all"
    ? names.filter((name) => coordinator === "zookeeper" || !PARTITIONS[name]!.needsRemote)
    : given.numbers("cases").map((number) => names[number - 1]!);
  const obstacle = await Networks.obstacle();
  if (obstacle !== "") stop(`NOTHING WAS RUN: ${obstacle}`);
  const over = endedByUser();
  const { results, logs } = await runPartitions({
    ...{ cases, coordinator, over },
    seconds: given.number("seconds"),
    after: given.number("after"),
    replicas: given.number("replicas"),
    tell: isJson ? (line) => console.error(line) : (line) => console.log(line),
  });
  if (isJson) console.log(JSON.stringify(results, null, 2));
  else {
    console.table(results.map((each) => ({
      case: each.name,
      expected: each.expected,
      seen: each.seen,
      writes: each.writes.join(", "),
      "first write ms": each.firstMs,
      "two masters ms": each.overlapMs,
      lost: `${each.lost} of ${each.acknowledged}`,
      "well ms": each.wellMs,
    })));
  }
  const wrong = results.flatMap((each) => each.wrong.map((text) => `${each.name}: ${text}`));
  for (const text of wrong) console.error(`WRONG: ${text}`);
  if (wrong.length > 0) console.error(`proxies and dashboard: ${logs}`);
  Deno.exit(over.aborted ? 130 : wrong.length > 0 ? 1 : 0);
}

if (import.meta.main) await main();
