/**
 * What the coordinators' real servers have in common: a folder, a port, a process that can be ended,
 * paused and started again.
 *
 * @module
 */

import { Daemon } from "./daemon.ts";
import { until } from "./deadline.ts";
import { HERE, type Place } from "./place.ts";

/** How often a start is tried on other ports. */
const START_ATTEMPTS = 5;

/** How long a start may take on a busy machine, in milliseconds. */
const START_MS = 30_000;

/** One server process with a temporary folder. */
export abstract class DaemonServer implements AsyncDisposable {
  readonly port: number;
  /** `host:port`, as config.ini writes it. */
  readonly addr: string;
  /** Its temporary folder; what it stores is in `data`. */
  protected readonly folder: string;
  /** What it is, for messages. */
  protected abstract readonly name: string;
  #daemon: Daemon | undefined;

  /** Where it runs. */
  protected readonly place: Place;

  protected constructor(port: number, folder: string, place: Place = HERE) {
    this.port = port;
    this.place = place;
    this.addr = `${place.host}:${port}`;
    this.folder = folder;
  }

  /** The command line. */
  protected abstract words(): readonly string[];

  /** Whether it answers clients. */
  protected abstract isServing(): Promise<boolean>;

  /** Writes what it reads when it starts. */
  protected async configure(): Promise<void> {}

  /**
   * Starts a server and waits until it serves.
   *
   * @param make Makes one that has not been started, in a folder of its own.
   */
  protected static async startNew<S extends DaemonServer>(
    prefix: string,
    make: (folder: string) => S,
  ): Promise<S> {
    for (let attempt = 1;; attempt++) {
      const server = make(await Deno.makeTempDir({ prefix }));
      try {
        await server.configure();
        await server.restart();
        globalThis.addEventListener("unload", () => server.#daemon?.killNow());
        return server;
      } catch (error) {
        // Somebody else may have taken a port.
        await server[Symbol.asyncDispose]();
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  /** Starts the server again on the same port and data, after `stop` or `kill`. */
  async restart(): Promise<void> {
    if (this.#daemon !== undefined) throw new Error(`${this.name} ${this.addr} runs already`);
    const log = `${this.folder}/log`;
    this.#daemon = await Daemon.start([...this.place.enter, ...this.words()], {
      folder: this.folder,
      log,
    });
    try {
      await until(async () => {
        if (!await this.#daemon!.isAlive()) throw new Error("it has ended");
        return await this.isServing();
      }, START_MS);
    } catch (error) {
      const output = await Deno.readTextFile(log).catch(() => "");
      throw new Error(`${this.name} did not start: ${(error as Error).message}\n${output}`);
    }
  }

  /** Ends it as an operator would; does nothing when it does not run. */
  async stop(): Promise<void> {
    await this.#end("TERM");
  }

  /** Ends it with SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("KILL");
  }

  async #end(signal: "TERM" | "KILL"): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.end(signal);
  }

  /** Deletes all that it has stored; it must not be running. */
  async wipe(): Promise<void> {
    await Deno.remove(`${this.folder}/data`, { recursive: true });
  }

  /** Copies all that it has stored, as a backup; it must not be running. */
  async backUp(): Promise<void> {
    await copyFolder(`${this.folder}/data`, `${this.folder}/backup`);
  }

  /** Sets all that it has stored back to the backup; it must not be running. */
  async setBack(): Promise<void> {
    await this.wipe();
    await copyFolder(`${this.folder}/backup`, `${this.folder}/data`);
  }

  /** Stops it for a while without ending it: connections stay open and nothing is answered. */
  async pause(): Promise<void> {
    await this.#daemon?.pause();
  }

  /** Goes on after `pause`. */
  async resume(): Promise<void> {
    await this.#daemon?.signal("CONT");
  }

  /** Kills the server and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  const { mode } = await Deno.stat(from);
  await Deno.mkdir(to, { mode: (mode ?? 0o700) & 0o777 });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
