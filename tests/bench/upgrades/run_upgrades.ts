/**
 * Upgrades a proxy again and again under load, and counts what its clients see of it.
 *
 *     deno task bench:upgrades --help
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { freePort } from "../../support/free_port.ts";
import { tlsFile, tlsText } from "../../support/tls.ts";
import { UpgradeLoad } from "../../support/upgrade_load.ts";
import { Cluster, COORDINATORS, SLOTS } from "../consistency/cluster.ts";
import { Moves } from "../consistency/moves.ts";
import { Dice } from "../consistency/operations.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:upgrades [options]

Four servers, a proxy, a dashboard, a coordinator; clients that connect again when their connection ends. Exit
code 1 when a command was lost or executed twice, or a connection refused or reset.

  --upgrades=20              how often a new process takes over from the one before
  --steady=160               clients with a connection
  --short=40                 clients with a connection for each command
  --pause=40                 mean pause of a client between two commands, in milliseconds
  --cpu=1                    workers of the proxy
  --coordinator=embedded     embedded, zookeeper or etcd
  --moves=off                on: all slots move round the servers meanwhile
  --tls=off                  on: clients connect with TLS
`;

const given = new GivenOptions(HELP, {
  numbers: {
    upgrades: [20, 1, 10_000],
    steady: [160, 0, 10_000],
    short: [40, 0, 1_000],
    pause: [40, 0, 10_000],
    cpu: [1, 1, 8],
  },
  words: ["coordinator", "moves", "tls"],
});
const upgrades = given.number("upgrades");
const coordinator = given.word("coordinator", COORDINATORS);
const isMoving = given.word("moves", ["off", "on"]) === "on";
const tlsPort = given.word("tls", ["off", "on"]) === "on" ? freePort() : undefined;

await using cluster = await Cluster.start({
  ...{ proxies: 1, cpu: given.number("cpu"), backend: "stock", coordinator, isDurable: false },
  config: tlsPort === undefined ? {} : {
    tls_addr: `127.0.0.1:${tlsPort}`,
    tls_cert: tlsFile("server"),
    tls_key: tlsFile("server-key"),
  },
});
const proxy = cluster.proxies[0]!;
const load = new UpgradeLoad({
  ...{
    port: tlsPort ?? proxy.port,
    ca: tlsPort === undefined ? undefined : tlsText("ca"),
    steady: given.number("steady"),
    short: given.number("short"),
    pauseMs: given.number("pause"),
  },
});
const failures: string[] = [];
const moves = new Moves(cluster, new Dice(Math.random), {
  ...{ slots: SLOTS, cancels: 0, delayMsMax: 0, mayFail: true, stuckMs: 60_000 },
  tell: (text) => failures.push(text),
});
load.start();
await delay(1_000);
let isOver = false;
const moving = (async () => {
  while (isMoving && !isOver) {
    await moves.scatter([1, 2, 3, 4]);
    await moves.settle();
  }
})();
const startedMs = performance.now();
const tookMs: number[] = [];
for (let i = 1; i <= upgrades; i++) {
  const beganMs = performance.now();
  const old = proxy.child;
  const end = await proxy.upgrade();
  if (!end.success) {
    console.log(`the process before: ${JSON.stringify(end)} ${old.stdout}${old.stderr}`);
  }
  tookMs.push(performance.now() - beganMs);
  const { commands, endedBetween, unanswered, failedConnects, longestMs } = load.counts;
  console.log(
    `${i}: ${
      Math.round(tookMs.at(-1)!)
    } ms; so far ${commands} commands, ${endedBetween} connections ended ` +
      `between requests, ${unanswered} commands unanswered, ${failedConnects} connects failed, ` +
      `longest wait ${Math.round(longestMs)} ms`,
  );
}
isOver = true;
await moving;
const seconds = (performance.now() - startedMs) / 1000;
const counts = await load.stop();
const refused = failures.filter((text) => /\b\d{3} |dead|confirmed/.test(text));
console.log(
  `${upgrades} upgrades in ${Math.round(seconds)} s, ${
    Math.round(counts.commands / seconds)
  } commands/s, ` +
    `${moves.slotsMoved} slots moved, ${refused.length} changes refused`,
);
for (const text of [...refused.slice(0, 5), ...counts.wrong.slice(0, 10)]) console.log(text);
if (Object.keys(counts.causes).length > 0) console.log(counts.causes);
console.log(`logs: ${cluster.logs}`);
const isWell = counts.wrong.length + counts.failedConnects === 0;
console.log(isWell ? "nothing lost, no connection failed" : `${counts.wrong.length} wrong answers`);
await cluster[Symbol.asyncDispose]();
Deno.exit(isWell ? 0 : 1);
