/**
 * Frameworks that people build on Redis: through the proxy before two servers each of them comes to
 * what it comes to on one redis-server. Each is a program of tests/frameworks, which prints one line.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { SLOT_RULE_PRESETS } from "../../src/model/slot_rule_presets.ts";
import { Child } from "../support/child.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";

/** What keeps together the keys of programs that name no tag, where anything does. */
const SETTINGS = ["plain", "slot rules", "multi_slot_transactions"] as const;
type Setting = typeof SETTINGS[number];

/** The programs, the slowest first, and the settings that they are run with. */
const PROGRAMS: Readonly<Record<string, readonly Setting[]>> = {
  "celery_app.py": ["slot rules", "multi_slot_transactions"],
  "rq_app.py": ["slot rules", "multi_slot_transactions"],
  "sidekiq.rb": ["slot rules", "multi_slot_transactions"],
  "socket_io.ts": ["plain"],
  "rate_limiter.ts": ["plain"],
  "connect_redis.ts": ["plain"],
  "client_caches.ts": ["plain"],
  "bullmq.ts": ["slot rules"],
  "kue.ts": ["slot rules"],
  "django_channels.py": ["slot rules"],
  "redis_py.py": ["plain"],
  "bull.ts": ["slot rules"],
  "bee_queue.ts": ["slot rules"],
  "redlock.ts": ["plain"],
};

/** Presets of slot rules; all of them together, as a product with all of these programs has them. */
const PRESETS = ["bullmq", "bee-queue", "kue", "rq", "celery", "sidekiq", "channels"];

/** How programs are started, by the end of their names. */
const STARTS: Readonly<Record<string, readonly string[]>> = {
  // kue needs __proto__.
  ts: [Deno.execPath(), "run", "--allow-all", "--unsafe-proto", "--no-check", "--quiet"],
  // Debian's own, which has Debian's packages, whatever else is first on PATH.
  py: ["/usr/bin/python3", "-B"],
  rb: ["ruby"],
};

/** Programs under way at the same time, for each setting. */
const LANES = 2;
/** Longest time that a program may take, in milliseconds. */
const RUN_MS = 60_000;
/** Characters of its output that are shown when it fails, of the beginning and of the end. */
const SHOWN = 1_500;
const EVENTS = ["--notify-keyspace-events", "AKE"];
const CONFIG: Readonly<Record<Setting, Readonly<Record<string, string>>>> = {
  plain: {},
  "slot rules": {},
  multi_slot_transactions: { multi_slot_transactions: "on" },
};

const PROGRAM_ENV: Readonly<Partial<Record<Setting, Readonly<Record<string, string>>>>> = {
  // Without rules a worker can wait for one list only: no priorities.
  multi_slot_transactions: { CELERY_PRIORITY_STEPS: "0" },
};

const folder = new URL("../frameworks/", import.meta.url).pathname;

/** Runs a program; its outcome, or how it failed. */
async function run(name: string, port: number, setting?: Setting): Promise<unknown> {
  const [command, ...words] = STARTS[name.split(".").at(-1)!]!;
  const child = new Child(command!, {
    args: [...words, `${folder}${name}`, "127.0.0.1", `${port}`],
    cwd: folder,
    env: { PYTHONDONTWRITEBYTECODE: "1", ...PROGRAM_ENV[setting ?? "plain"] },
  });
  const timer = setTimeout(() => child.signal("SIGKILL"), RUN_MS);
  const { code } = await child.ended;
  clearTimeout(timer);
  try {
    if (code === 0) return JSON.parse(child.stdout);
  } catch {
    // It is told below what was printed instead.
  }
  const output = `${child.stdout}${child.stderr}`;
  // Python tells first what went wrong, and then what it could not clean up.
  const shown = output.length <= 2 * SHOWN
    ? output
    : `${output.slice(0, SHOWN)} … ${output.slice(-SHOWN)}`;
  return `exit code ${code}: ${shown}`;
}

/** Adds slot rules, as `config slot rule preset` and `config slot rule add` do. */
async function addRules(proxy: ProxyProcess): Promise<void> {
  const rules = SLOT_RULE_PRESETS.filter(({ name }) => PRESETS.includes(name))
    .flatMap((preset) => preset.rules);
  // What Sidekiq names after its machine.
  rules.push({ pattern: `${Deno.hostname()}:*`, tag: "sidekiq" });
  const request = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ rules }),
  };
  // The dashboard may not have seen the proxy yet.
  let answer = "";
  await until(async () => {
    const response = await fetch(proxy.url("/api/slot_rules"), request);
    answer = await response.text();
    return response.ok;
  }).catch((error) => {
    throw new Error(`slot rules are not taken: ${answer}`, { cause: error });
  });
}

/** Runs programs one after the other, each against empty servers. */
async function runLane(
  names: string[],
  outcomes: Map<string, unknown>,
  setting?: Setting,
): Promise<void> {
  await using owned = new AsyncDisposableStack();
  const count = setting === undefined ? 1 : 2;
  const servers = owned.use(await RedisServer.startMany(count, { args: EVENTS }));
  const proxy = setting &&
    owned.use(await ProxyProcess.start({ servers, config: CONFIG[setting] }));
  if (setting === "slot rules") await addRules(proxy!);
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    outcomes.set(name, await run(name, (proxy ?? servers[0]!).port, setting));
    for (const server of servers) {
      using client = await server.client();
      await client.call("FLUSHALL");
    }
  }
}

async function runAll(names: readonly string[], setting?: Setting): Promise<Map<string, unknown>> {
  const left = [...names];
  const outcomes = new Map<string, unknown>();
  await Promise.all(Array.from({ length: LANES }, () => runLane(left, outcomes, setting)));
  return outcomes;
}

Deno.test("frameworks come through the proxy to what they come to on one redis-server", async (t) => {
  const names = Object.keys(PROGRAMS);
  const namesOf = (setting: Setting) => names.filter((name) => PROGRAMS[name]!.includes(setting));
  const [expected, ...found] = await Promise.all([
    runAll(names),
    ...SETTINGS.map((setting) => runAll(namesOf(setting), setting)),
  ]);
  for (const [i, setting] of SETTINGS.entries()) {
    for (const [name, outcome] of found[i]!) {
      await t.step(`${name}, ${setting}`, () => {
        // What it printed when it failed, as it is: a comparison would quote it.
        assertEquals(typeof expected!.get(name), "object", `${expected!.get(name)}`);
        assertEquals(typeof outcome, "object", `${outcome}`);
        assertEquals(outcome, expected!.get(name));
      });
    }
  }
});
