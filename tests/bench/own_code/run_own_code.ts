/**
 * `deno task bench:own-code`: how long the proxy's own code takes for a request, without the system's, over sockets
 * that are imitated (`read_mode = direct`). The figures of one tree scatter by a few percent, where those of whole
 * processes scatter by a quarter: two ways to write something are compared here first.
 *
 * @module
 */

import { Child } from "../../support/child.ts";
import { freePort } from "../../support/free_port.ts";
import { PROGRAM_FLAGS } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";
import { median } from "../load/median.ts";
import { GivenOptions, stop } from "../options.ts";
import type { OwnCodeLoad } from "./own_code.ts";

const HELP = `deno task bench:own-code [options]

  --command=GET         GET or SET
  --clients=50          how many clients; all send in the same turn
  --pipeline=1,16,64    requests that each sends together
  --value=64            size of values in bytes
  --starts=3            how often each is measured in a process of its own
  --rounds=20           how often in each process; the least counts, the median is told, too
`;

const SCRIPT = new URL("./own_code.ts", import.meta.url).pathname;
const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;

/** Nanoseconds for a request, of each round in one process. */
async function measure(servers: readonly RedisServer[], load: OwnCodeLoad): Promise<number[]> {
  await using folder = await StoreFolder.make();
  await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  const config = `${folder.dir}.ini`;
  const lines = [
    ...["coordinator = embedded", `embedded_dir = ${folder.dir}`, "product = test"],
    ...["proxy_id = own_code", "read_mode = direct", "log_level = warn"],
  ];
  await Deno.writeTextFile(config, `${lines.join("\n")}\n`);
  try {
    const words = ["proxy", "-c", config, "--cpu=1", `--addr=127.0.0.1:${freePort()}`];
    const child = new Child(Deno.execPath(), {
      args: [
        ...["run", `--config=${CONFIG}`, "--no-check", ...PROGRAM_FLAGS],
        ...[SCRIPT, JSON.stringify(load), ...words, `--http-addr=127.0.0.1:${freePort()}`],
      ],
    });
    const { success } = await child.ended;
    if (!success) stop(`it has failed\n${child.stdout}${child.stderr}`);
    return JSON.parse(child.stdout.trim().split("\n").at(-1)!);
  } finally {
    await Deno.remove(config);
  }
}

if (import.meta.main) {
  const given = new GivenOptions(HELP, {
    numbers: {
      clients: [50, 1, 10_000],
      pipeline: ["1,16,64", 1, 1_024],
      value: [64, 1, 8_192],
      starts: [3, 1, 100],
      rounds: [20, 1, 1_000],
    },
    words: ["command"],
  });
  const command = given.word("command", ["GET", "SET"]);
  const [clients, valueBytes] = [given.number("clients"), given.number("value")];
  const [starts, rounds] = [given.number("starts"), given.number("rounds")];
  await using servers = await RedisServer.startMany(2);
  console.log("ns of the proxy's own code for a request, the least and the median of each process");
  for (const pipeline of given.numbers("pipeline")) {
    const load: OwnCodeLoad = { command, clients, pipeline, valueBytes, rounds };
    const texts: string[] = [];
    for (let start = 0; start < starts; start++) {
      const all = await measure(servers, load);
      texts.push(`${Math.min(...all).toFixed(0)} (${median(all).toFixed(0)})`);
    }
    console.log(
      `${command} of ${valueBytes} B, ${clients} clients, P=${pipeline}: ${texts.join(", ")}`,
    );
  }
}
