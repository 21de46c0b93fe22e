/**
 * Moves all slots of a real cluster round its servers while clients write, and proves that nothing that
 * was acknowledged is lost, doubled, or read in an older state.
 *
 *     deno task bench:consistency --help
 *
 * @module
 */

import { type CheckOptions, faultKinds, PART_KINDS, type Report, runChecker } from "./checker.ts";
import { COORDINATORS, SLOTS } from "./cluster.ts";
import { FAULT_KINDS } from "./faults.ts";
import { GivenOptions, type KnownOptions, stop } from "../options.ts";

const HELP = `deno task bench:consistency [options]

Four servers, proxies, a dashboard, a coordinator; clients that know what must be there. All 1024
slots move from 2 servers to 4, to 3 and back, some are cancelled on the way. In the end every key is
read through the proxies and at the servers. Exit code 1 when anything is wrong.

  --clients=64               connections
  --keys=200000              keys, about
  --rate=4000                commands per second, of all clients together
  --proxies=2                1, 2 or 3
  --cpu=1                    workers of each proxy
  --backend=stock            stock: redis-server; codis: codis-server, the program that
                             CODIS_SERVER names, else a double of it
  --coordinator=embedded     embedded, zookeeper or etcd
  --rounds=1                 rounds of moves
  --slots=1024               slots that go round; fewer go by ranges only
  --cancels=40               tasks cancelled in each round
  --delay=20                 most milliseconds between two calls for a task, by chance; 2 without faults;
                             with 0, and a rate below 2000, all slots of a server are on their way at once
  --faults=none              none, ${FAULT_KINDS.join(", ")} or all, several with commas:
                             what is killed with kill -9 while slots move, and comes back
                             (coordinator needs --coordinator=zookeeper or etcd);
                             upgrade: a new process takes over;
                             move: the product moves to another store, and back the next time
  --kills=10                 how often each of them is killed
  --parts=all                none, ${PART_KINDS.join(", ")} or all, several with commas:
                             what runs beside the load, with a quarter of its clients each
                             (a double of codis-server can only do transactions)
  --seconds=900              moves and faults end after this time
  --seed=N                   choices of moves, cancels, kills and clients; by default by chance
`;

/** The default of `--delay` without faults; with them slots are to be on their way for longer. */
const CALM_DELAY_MS = 2;

const NUMBERS: KnownOptions["numbers"] = {
  clients: [64, 1, 1_000],
  keys: [200_000, 1, 5_000_000],
  rate: [4_000, 1, 200_000],
  proxies: [2, 1, 3],
  cpu: [1, 1, 8],
  rounds: [1, 1, 1_000],
  slots: [SLOTS, 1, SLOTS],
  cancels: [40, 0, 10_000],
  delay: [20, 0, 10_000],
  kills: [10, 1, 1_000],
  seconds: [900, 1, 86_400],
  seed: [Math.floor(Math.random() * 1e6), 0, 2 ** 31],
};

function readOptions(): CheckOptions {
  const words = ["backend", "coordinator", "faults", "parts"];
  const given = new GivenOptions(HELP, { numbers: NUMBERS, words });
  const coordinator = given.word("coordinator", COORDINATORS);
  const faults = (given.text("faults") ?? "none").split(",").flatMap((name) => {
    if (!["none", "all", ...FAULT_KINDS].includes(name)) {
      stop(`--faults: "${name}" is none of none, all, ${FAULT_KINDS.join(", ")}`);
    }
    return faultKinds(name, coordinator);
  });
  if (faults.includes("coordinator") && coordinator === "embedded") {
    stop(
      '--faults: "coordinator" needs --coordinator=zookeeper or etcd: embedded files cannot be killed',
    );
  }
  const parts = (given.text("parts") ?? "all").split(",").flatMap((name) => {
    if (!["none", "all", ...PART_KINDS].includes(name)) {
      stop(`--parts: "${name}" is none of none, all, ${PART_KINDS.join(", ")}`);
    }
    return name === "none" ? [] : name === "all" ? PART_KINDS : [name];
  });
  return {
    clients: given.number("clients"),
    keys: given.number("keys"),
    rate: given.number("rate"),
    proxies: given.number("proxies"),
    cpu: given.number("cpu"),
    backend: given.word("backend", ["stock", "codis"]),
    coordinator,
    rounds: given.number("rounds"),
    slots: given.number("slots"),
    cancels: given.number("cancels"),
    delayMsMax: given.text("delay") === undefined && faults.length === 0
      ? CALM_DELAY_MS
      : given.number("delay"),
    faults,
    parts,
    kills: given.number("kills"),
    seconds: given.number("seconds"),
    seed: given.number("seed"),
    tell: (line) => console.log(line),
  };
}

/** What a run has come to, in words. */
export function reportText(report: Report): string {
  const kills = Object.entries(report.kills).map(([kind, count]) => `${count} ${kind}`);
  return [
    `${report.seconds.toFixed(1)} s, ${report.items} items, ${report.keys} keys in the end`,
    `writes acknowledged ${report.acknowledged}, of unknown outcome ${report.unknown}, ` +
    `commands refused ${report.refused}, reads checked ${report.checkedReads}, ` +
    `connections lost ${report.lost}, longest wait ${Math.round(report.longestMs)} ms`,
    Object.entries(report.partCounts).map(([name, count]) => `${name} ${count}`).join(", "),
    `slots moved ${report.slotsMoved}, tasks cancelled ${report.cancelled}, ` +
    `kills: ${kills.length === 0 ? "none" : kills.join(", ")}; ` +
    `own CPU ${(100 * report.ownCpu).toFixed(0)} %`,
    report.violated === 0
      ? "nothing is wrong"
      : `${report.violated} things are wrong; what proxies and dashboard said is in ${report.logs}`,
  ].filter((line) => line !== "").join("\n");
}

async function main(): Promise<void> {
  const options = readOptions();
  console.log(`seed ${options.seed}`);
  const report = await runChecker(options);
  for (const text of report.violations) console.log(`WRONG: ${text}`);
  console.log(reportText(report));
  Deno.exit(report.violated === 0 ? 0 : 1);
}

if (import.meta.main) await main();
