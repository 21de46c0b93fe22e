/**
 * A real ZooKeeper that the tests of a file share: `const zookeeper = await ZookeeperServer.start()`.
 *
 * @module
 */

import { Daemon } from "./daemon.ts";
import { until } from "./deadline.ts";
import { freePort } from "./free_port.ts";

/** Where Debian's package puts it; its manifest names all else that it needs. */
const JAR = "/usr/share/java/zookeeper.jar";

/** Small and quick to start: a test's tree is tiny, and what it stores need not outlive the machine. */
const JAVA_FLAGS = [
  ...["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:CICompilerCount=1"],
  ...["-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=256", "-Djava.awt.headless=true"],
];

/** How often a start is tried on another port. */
const START_ATTEMPTS = 5;

/** How long a start may take on a busy machine, in milliseconds. */
const START_MS = 30_000;

/** How long a server may take to say how it is, in milliseconds. */
const ANSWER_MS = 500;

/** One standalone server with a temporary folder, on 127.0.0.1. */
export class ZookeeperServer implements AsyncDisposable {
  readonly port: number;
  /** `host:port`, as config.ini writes it. */
  readonly addr: string;
  readonly #folder: string;
  #daemon: Daemon | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.addr = `127.0.0.1:${port}`;
    this.#folder = folder;
  }

  /** Starts a server and waits until it serves. */
  static async start(): Promise<ZookeeperServer> {
    for (let attempt = 1;; attempt++) {
      const folder = await Deno.makeTempDir({ prefix: "codis-zookeeper-" });
      const server = new ZookeeperServer(freePort(), folder);
      try {
        await server.#configure();
        await server.restart();
        globalThis.addEventListener("unload", () => server.#daemon?.killNow());
        return server;
      } catch (error) {
        // Somebody else may have taken the port.
        await server[Symbol.asyncDispose]();
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  async #configure(): Promise<void> {
    const lines = [
      `dataDir=${this.#folder}/data`,
      `clientPort=${this.port}`,
      "clientPortAddress=127.0.0.1",
      // Sessions of a second or two, ended within a tick.
      "tickTime=200",
      "minSessionTimeout=500",
      "maxSessionTimeout=60000",
      "maxClientCnxns=0",
      "admin.enableServer=false",
      "4lw.commands.whitelist=srvr",
    ];
    await Deno.writeTextFile(`${this.#folder}/zoo.cfg`, `${lines.join("\n")}\n`);
  }

  /** Starts the server again on the same port and data, after `stop` or `kill`. */
  async restart(): Promise<void> {
    if (this.#daemon !== undefined) throw new Error(`ZooKeeper ${this.addr} runs already`);
    const [folder, log] = [this.#folder, `${this.#folder}/log`];
    this.#daemon = await Daemon.start([
      ...["java", ...JAVA_FLAGS, "-cp", JAR],
      ...["org.apache.zookeeper.server.ZooKeeperServerMain", `${folder}/zoo.cfg`],
    ], { folder, log });
    try {
      await until(async () => {
        if (!await this.#daemon!.isAlive()) throw new Error("it has ended");
        return await this.#isServing();
      }, START_MS);
    } catch (error) {
      const output = await Deno.readTextFile(log).catch(() => "");
      throw new Error(`ZooKeeper did not start: ${(error as Error).message}\n${output}`);
    }
  }

  async #isServing(): Promise<boolean> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port })
      .catch(() => undefined);
    if (connection === undefined) return false;
    // One that is just starting may take the question and never answer it.
    const timer = setTimeout(() => connection.close(), ANSWER_MS);
    try {
      await connection.write(new TextEncoder().encode("srvr"));
      return (await new Response(connection.readable).text()).includes("Mode: standalone");
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
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
    await Deno.remove(`${this.#folder}/data`, { recursive: true });
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
    await Deno.remove(this.#folder, { recursive: true });
  }
}
