/**
 * The whole program as its users start it: `await using proxy = await ProxyProcess.start(...)`.
 *
 * With CODIS_PROXY_BIN in the environment that file is the program, else `main.ts` of this source
 * tree, or what the runner has bundled of it, run by this very Deno with the permissions of the task
 * `start`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import denoJson from "../../deno.json" with { type: "json" };
import { Child } from "./child.ts";
import { type ProcessFigures, processFigures } from "./process_figures.ts";
import { freePort } from "./free_port.ts";
import { commandIn, HERE, type Place } from "./place.ts";
import { runWords } from "./program_bundle.ts";
import { RespClient } from "./resp_client.ts";

const root = new URL("../..", import.meta.url).pathname;

const START_WORDS = denoJson.tasks.start.command.split(" ");

/** The flags that the program is run with, as `deno task start` names them. */
export const PROGRAM_FLAGS: readonly string[] = START_WORDS.filter((word) =>
  /^--(no-prompt$|v8-flags=|allow-)/.test(word)
);

/** The variables that it is run with. */
const PROGRAM_ENV: Readonly<Record<string, string>> = Object.fromEntries(
  START_WORDS.filter((word) => /^[A-Z_]+=/.test(word)).map((word) => word.split("=")),
);

/** How a proxy is started. */
export interface ProxyOptions {
  /** The redis-servers behind it; the empty store is filled with one group for each. */
  readonly servers?: readonly { readonly addr: string }[];
  /** Lines of config.ini; they win over those made from `servers`. */
  readonly config?: Readonly<Record<string, string | number>>;
  /** Workers that serve clients; what a test says of one process often holds for one thread. @default 1 */
  readonly cpu?: number;
  /** The host that it listens on, for Redis clients and HTTP; `""`: none is named. @default 127.0.0.1 */
  readonly host?: string;
  /** Where it runs. @default HERE */
  readonly place?: Place | undefined;
  /** Further words of the command line. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of Deno's that win over those of the task `start`. */
  readonly flags?: readonly string[];
  /** Its `ulimit -n`; as ours unless given. */
  readonly openFiles?: number;
  /** How long to wait for `/healthz`, by default 10 s. */
  readonly startTimeoutMs?: number;
}

/** Fewer than by default: descriptors for all of them are counted at each start. */
const CLIENTS_MAX = 1_000;
const START_TIMEOUT_MS = 30_000;
const HEALTH_PERIOD_MS = 20;

/** The flags `given`, behind those of `own` that are not among them: each may be given once. */
export function withFlags(own: readonly string[], given: readonly string[]): string[] {
  const named = new Set(given.map((flag) => flag.split("=")[0]));
  return [...own.filter((flag) => !named.has(flag.split("=")[0])), ...given];
}

/**
 * Starts the program with these words; for tests that watch it fail, or use other commands.
 *
 * @param openFiles Its `ulimit -n`; as ours unless given.
 * @param place Where it runs.
 */
export function startProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
  flags: readonly string[] = [],
  openFiles?: number,
  place: Place = HERE,
): Child {
  // A test may run it in a folder of its own: the name counts from where the tests were started.
  const named = Deno.env.get("CODIS_PROXY_BIN");
  const binary = named?.startsWith("/") === false ? `${Deno.cwd()}/${named}` : named;
  const run = runWords();
  const options = {
    env: { NO_COLOR: "1", ...PROGRAM_ENV, ...binary === undefined ? run.env : {}, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  };
  const limit = openFiles === undefined
    ? []
    : ["sh", "-c", 'ulimit -n "$0"; exec "$@"', `${openFiles}`];
  const start = (program: string, words: string[]) => {
    const [first, args] = commandIn(place, [...limit, program, ...words]);
    return new Child(first, { args, ...options });
  };
  if (binary !== undefined) return start(binary, [...args]);
  const demo = /^(demo|import)$/.test(args[0] ?? "") ? ["--allow-run=redis-server"] : [];
  const takeOver = args.includes("--take-over") ? ["--allow-ffi"] : [];
  const kept = [...PROGRAM_FLAGS, ...demo, ...takeOver].filter((flag) =>
    !flags.some((own) => own.split("=")[0] === flag.split("=")[0])
  );
  return start(Deno.execPath(), ["run", ...kept, ...flags, ...run.words, ...args]);
}

/** The words that run the program, from its sources, for what starts it in another way. */
export function programWords(args: readonly string[]): string[] {
  const binary = Deno.env.get("CODIS_PROXY_BIN");
  if (binary !== undefined) return [binary, ...args];
  // Quiet: on a terminal, Deno itself shows what it loads.
  const run = [
    "run",
    "--quiet",
    ...PROGRAM_FLAGS,
    "--config",
    `${root}deno.json`,
    `${root}main.ts`,
  ];
  return [Deno.execPath(), ...run, ...args];
}

/** Writes config.ini text from keys and values. */
export function configText(config: Readonly<Record<string, string | number>>): string {
  return Object.entries(config).map(([key, value]) => `${key}=${value}\n`).join("");
}

/** A running proxy process with a folder, a config file and an embedded store of its own. */
export class ProxyProcess implements AsyncDisposable {
  /** The port for Redis clients. */
  readonly port: number;
  /** The port of the admin endpoint. */
  readonly httpPort: number;
  /** The temporary folder: `config.ini`, and the embedded store in `data`. */
  readonly folder: string;
  readonly #options: ProxyOptions;
  #child: Child | undefined;

  private constructor(folder: string, options: ProxyOptions) {
    this.port = freePort();
    this.httpPort = freePort();
    this.folder = folder;
    this.#options = options;
  }

  /** Starts a proxy and waits until it says that it is healthy. */
  static async start(options: ProxyOptions = {}): Promise<ProxyProcess> {
    const folder = await Deno.makeTempDir({ prefix: "codis-proxy-" });
    const proxy = new ProxyProcess(folder, options);
    try {
      const config: Record<string, string | number> = {
        coordinator: "embedded",
        embedded_dir: `${folder}/data`,
        max_clients: CLIENTS_MAX,
        ...(options.servers === undefined
          ? {}
          : { servers: options.servers.map(({ addr }) => addr).join(",") }),
        ...options.config,
      };
      await Deno.writeTextFile(`${folder}/config.ini`, configText(config));
      await proxy.restart();
      return proxy;
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the program again, on the same ports and with the same store. */
  async restart(): Promise<void> {
    this.#child = this.#launch();
    await this.waitUntilHealthy(this.#options.startTimeoutMs ?? START_TIMEOUT_MS);
  }

  /** Starts another process that is to take over from this one, which stays the proxy for us. */
  startBeside(): Child {
    return this.#launch("--take-over");
  }

  /**
   * Starts the program again while it runs, to take over.
   *
   * @returns How the process before has ended; who awaits it later still sees its failure.
   */
  upgrade(): Promise<Deno.CommandStatus> {
    const upgrading = this.#upgrade();
    // Or the whole run would end by it, without a word of the test.
    upgrading.catch(() => {});
    return upgrading;
  }

  async #upgrade(): Promise<Deno.CommandStatus> {
    const old = this.child;
    this.#child = this.startBeside();
    const end = await Promise.race([old.ended, this.#child.ended]);
    if (this.#child.hasEnded) {
      throw new Error(`it has not taken over\n${this.stdout}${this.stderr}`);
    }
    return end;
  }

  #launch(...more: string[]): Child {
    const { place = HERE, host = place.host } = this.#options;
    const given = [...new Set([...this.#options.args ?? [], ...more])];
    const own = [
      ...[`--addr=${host}:${this.port}`, `--http-addr=${host}:${this.httpPort}`],
      `--cpu=${this.#options.cpu ?? 1}`,
    ];
    return startProgram(
      ["proxy", "-c", `${this.folder}/config.ini`, ...withFlags(own, given)],
      // What it leaves when it is killed goes with its folder.
      { TMPDIR: this.folder, ...this.#options.env },
      undefined,
      this.#options.flags,
      this.#options.openFiles,
      place,
    );
  }

  /** Waits until `GET /healthz` answers 200; throws with the output when the process ends. */
  async waitUntilHealthy(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const response = await fetch(this.url("/healthz")).catch(() => undefined);
      await response?.body?.cancel();
      if (response?.status === 200) return;
      if (this.child.hasEnded || Date.now() > deadline) {
        const state = this.child.hasEnded ? "the proxy ended" : `not healthy in ${timeoutMs} ms`;
        throw new Error(`${state}\n${this.stdout}${this.stderr}`);
      }
      await delay(HEALTH_PERIOD_MS);
    }
  }

  /** The process, running or ended. */
  get child(): Child {
    if (this.#child === undefined) throw new Error("the proxy was never started");
    return this.#child;
  }

  get pid(): number {
    return this.child.pid;
  }

  /** What it wrote to standard output so far. */
  get stdout(): string {
    return this.child.stdout;
  }

  /** What it wrote to standard error so far. */
  get stderr(): string {
    return this.child.stderr;
  }

  /** Where clients reach it. */
  get host(): string {
    return (this.#options.place ?? HERE).host;
  }

  /** The address of a page of the admin endpoint. */
  url(path: string): string {
    return `http://${this.host}:${this.httpPort}${path}`;
  }

  /** Opens a connection as a Redis client. */
  client(): Promise<RespClient> {
    return RespClient.connect(this.port, this.host);
  }

  /** Ends it with SIGTERM, or another signal, and returns the exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    return (await this.child.end(signal)).code;
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    await this.child.end("SIGKILL");
  }

  /** Its CPU time and memory so far; Linux only. */
  figures(): Promise<ProcessFigures> {
    return processFigures(this.pid);
  }

  /** Kills the process and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.kill();
    await Deno.remove(this.folder, { recursive: true });
  }
}
