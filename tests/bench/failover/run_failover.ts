/**
 * Kills masters of a real cluster while clients write, and measures how soon each proxy serves again and what
 * is lost.
 *
 *     deno task bench:failover --help
 *
 * @module
 */

import { type KillReport, runKills, type Strike, STRIKE_KINDS } from "./kills.ts";
import { endedByUser, GivenOptions, type KnownOptions, stop } from "../options.ts";

const HELP = `deno task bench:failover [options]

3 groups of a master and two replicas, 3 proxies, two dashboards with failover = auto, a coordinator;
the load of bench:consistency, and writers that know who acknowledged what. Masters are struck one
after the other; the next one when the old master is a replica and all is well. Exit code 1 when a
write is lost that WAIT had confirmed, or anything else is wrong.

  --kills=50               how many masters are struck
  --kinds=all              several with commas, some more often than others:
                             kill       kill -9
                             stop       SIGSTOP, and SIGCONT after the failover
                             one-lags   kill -9 after one replica was cut off for 1.5 s
                             all-lag    kill -9 after both were
                             all-lag-stop  SIGSTOP then: its last writes are kept in a file
                             proxy      kill -9 of it and of a proxy, as of one machine
                             dashboard  kill -9 of it and of the dashboard that leads
  --replicas=1             min-replicas-to-write of the servers and WAIT of the clients;
                           with 0 acknowledged writes may be lost, and are counted
  --after=2                failover_after, in seconds
  --coordinator=embedded   embedded or zookeeper
  --groups=3               1 to 16
  --proxies=3              1 to 3
  --dashboards=2           1 or 2; 1 cannot be killed
  --cpu=1                  workers of each proxy
  --clients=16             connections of the load
  --keys=5000              its keys, about
  --rate=500               its commands per second
  --seconds=1800           no master is struck after this time
  --seed=N                 choices; by default by chance
  --json                   print the report as JSON
`;

const NUMBERS: KnownOptions["numbers"] = {
  kills: [50, 1, 10_000],
  replicas: [1, 0, 2],
  after: [2, 1, 60],
  groups: [3, 1, 16],
  proxies: [3, 1, 3],
  dashboards: [2, 1, 2],
  cpu: [1, 1, 8],
  clients: [16, 1, 1_000],
  keys: [5_000, 1, 1_000_000],
  rate: [500, 1, 100_000],
  seconds: [1_800, 1, 86_400],
  seed: [Math.floor(Math.random() * 1e6), 0, 2 ** 31],
};

/** What is promised above `failover_after`, in milliseconds. */
const PROMISED_MS = 2_000;

/** A row of the table for strikes of one kind. */
function rowOf(kind: string, strikes: readonly Strike[], lateMs: number): Record<string, unknown> {
  const times = strikes.flatMap(({ firstMs }) => firstMs).sort((a, b) => a - b);
  const sum = (of: (strike: Strike) => number) => strikes.reduce((all, each) => all + of(each), 0);
  return {
    kind,
    strikes: strikes.length,
    "first write p50 ms": times[Math.floor((times.length - 1) / 2)],
    "max ms": times.at(-1),
    late: times.filter((ms) => ms > lateMs).length,
    "well max ms": Math.max(...strikes.map(({ wellMs }) => wellMs)),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    lost: sum(({ lost }) => lost),
    kept: sum(({ kept }) => kept),
    "two masters max ms": Math.max(...strikes.map(({ overlapMs }) => overlapMs)),
  };
}

function print(report: KillReport, after: number): void {
  const { strikes, tally } = report;
  const lateMs = after * 1000 + PROMISED_MS;
  const kinds = [...new Set(strikes.map(({ kind }) => kind)), ""];
  console.table(
    kinds.map((kind) => {
      const of = strikes.filter((strike) => kind === "" || strike.kind === kind);
      return rowOf(kind || "all", of, lateMs);
    }),
  );
  console.log(`late: later than failover_after + ${PROMISED_MS / 1000} s, of writes and proxies`);
  console.log(
    `the load: ${tally.acknowledged} writes acknowledged, ${tally.unknown} of unknown outcome, ` +
      `${tally.refused} commands refused, ${tally.checkedReads} reads checked, ` +
      `longest wait ${Math.round(tally.longestMs)} ms, items that lost writes ${report.itemsLost}`,
  );
  for (const { group, lost, told } of strikes.filter(({ lost, told }) => lost + told.length > 0)) {
    console.log(`group ${group} has lost ${lost}; told: ${told.join("; ") || "nothing"}`);
  }
}

async function main(): Promise<void> {
  const words = ["kinds", "coordinator"];
  const given = new GivenOptions(HELP, { numbers: NUMBERS, words, switches: ["json"] });
  const isJson = given.isOn("json");
  const coordinator = given.word("coordinator", ["embedded", "zookeeper"]);
  const dashboards = given.number("dashboards");
  const proxies = given.number("proxies");
  const kinds = (given.text("kinds") ?? "all").split(",").flatMap((kind) => {
    if (kind === "all") {
      return STRIKE_KINDS.filter((k) =>
        (k !== "dashboard" || dashboards > 1) && (k !== "proxy" || proxies > 1)
      );
    }
    if (STRIKE_KINDS.includes(kind)) return [kind];
    return stop(`--kinds: "${kind}" is none of all, ${STRIKE_KINDS.join(", ")}`);
  });
  if (kinds.includes("dashboard") && dashboards < 2) {
    stop('--kinds: "dashboard" needs --dashboards=2: the other one takes over');
  }
  const over = endedByUser();
  const report = await runKills({
    ...{ coordinator, kinds, dashboards, proxies, over },
    kills: given.number("kills"),
    replicas: given.number("replicas"),
    after: given.number("after"),
    groups: given.number("groups"),
    cpu: given.number("cpu"),
    clients: given.number("clients"),
    keys: given.number("keys"),
    rate: given.number("rate"),
    seconds: given.number("seconds"),
    seed: given.number("seed"),
    tell: isJson ? (line) => console.error(line) : (line) => console.log(line),
  });
  if (isJson) console.log(JSON.stringify(report, null, 2));
  else if (report.strikes.length > 0) print(report, given.number("after"));
  for (const text of report.violations) console.error(`WRONG: ${text}`);
  if (report.violations.length > 0) console.error(`proxies and dashboards: ${report.logs}`);
  Deno.exit(over.aborted ? 130 : report.violations.length > 0 ? 1 : 0);
}

if (import.meta.main) await main();
