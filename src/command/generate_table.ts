/**
 * Writes `table.json` and `docs.json` from what a real redis-server reports about its commands.
 *
 * Run by `deno task gen:commands`. Needs redis-server and redis-cli of the version below on PATH,
 * starts one of its own on a Unix socket in a temporary folder, and stops it again.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { TABLE_VERSION } from "./redis_version.ts";

const START_TIMEOUT_MS = 10_000;

/** A command as `redis-cli --json COMMAND` prints it. */
type CommandReply = [
  name: string,
  arity: number,
  flags: string[],
  firstKey: number,
  lastKey: number,
  keyStep: number,
  categories: string[],
  tips: string[],
  keySpecs: unknown[],
  subcommands: CommandReply[],
];

async function run(name: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args }).output();
  if (!success) throw new Error(`${name} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function waitForSocket(path: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while ((await run("redis-cli", ["-s", path, "PING"]).catch(() => "")) !== "PONG\n") {
    if (Date.now() > deadline) throw new Error(`redis-server does not answer on "${path}"`);
    await delay(50);
  }
}

/** One row per command and subcommand, the subcommands right after their container. */
function flatten(commands: CommandReply[]): unknown[] {
  const byName = (a: { 0: string }, b: { 0: string }) => (a[0] < b[0] ? -1 : 1);
  return [...commands].sort(byName).flatMap((command) => {
    const [name, arity, flags, first, last, step, categories, tips, specs, subcommands] = command;
    const row = [
      name,
      arity,
      flags.join(" "),
      first,
      last,
      step,
      categories.join(" "),
      tips.join(" "),
      specs,
    ];
    return [row, ...flatten(subcommands)];
  });
}

/** What `redis-cli --json COMMAND DOCS` prints, by name. */
interface Docs {
  readonly [name: string]: { readonly subcommands?: Docs };
}

/** By name, subcommands too: a server has them in another order each time that it starts. */
function sortDocs(docs: Docs): Docs {
  const sorted = Object.entries(docs).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, doc]) => {
    const { subcommands } = doc;
    return [name, subcommands ? { ...doc, subcommands: sortDocs(subcommands) } : doc];
  }));
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "codis-commands-" });
  const socket = `${folder}/redis.sock`;
  const server = new Deno.Command("redis-server", {
    args: ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
    stdout: "null",
  }).spawn();
  try {
    await waitForSocket(socket);
    const info = await run("redis-cli", ["-s", socket, "INFO", "server"]);
    const version = /redis_version:(\S+)/.exec(info)?.[1];
    if (version !== TABLE_VERSION) {
      throw new Error(`redis-server is ${version}, the table is made from ${TABLE_VERSION}`);
    }
    const commands = JSON.parse(await run("redis-cli", ["-s", socket, "--json", "COMMAND"]));
    const docs = JSON.parse(await run("redis-cli", ["-s", socket, "--json", "COMMAND", "DOCS"]));

    const rows = flatten(commands).map((row) => JSON.stringify(row));
    const here = import.meta.dirname;
    await Deno.writeTextFile(`${here}/table.json`, `[\n${rows.join(",\n")}\n]\n`);
    const lines = Object.entries(sortDocs(docs)).map(([name, doc]) =>
      `${JSON.stringify(name)}:${JSON.stringify(doc)}`
    );
    await Deno.writeTextFile(`${here}/docs.json`, `{\n${lines.join(",\n")}\n}\n`);
    console.log(`${rows.length} commands and subcommands of Redis ${version}`);
  } finally {
    server.kill("SIGTERM");
    await server.status;
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
