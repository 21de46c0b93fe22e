/**
 * A real ZooKeeper that the tests of a file share: `const zookeeper = await ZookeeperServer.start()`.
 *
 * @module
 */

import { DaemonServer } from "./daemon_server.ts";
import { freePort } from "./free_port.ts";
import type { Place } from "./place.ts";

/** Where Debian's package puts it; its manifest names all else that it needs. */
const JAR = "/usr/share/java/zookeeper.jar";

/** Small and quick to start: a test's tree is tiny, and what it stores need not outlive the machine. */
const JAVA_FLAGS = [
  ...["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:CICompilerCount=1"],
  ...["-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=256", "-Djava.awt.headless=true"],
];

/**
 * Names a file with the classes that a server loads, parsed and verified: a start then takes half the CPU time. Without
 * it, each server does this for itself.
 */
export const CLASSES_VARIABLE = "CODIS_TEST_ZOOKEEPER_CLASSES";

/** How long a server may take to say how it is, in milliseconds. */
const ANSWER_MS = 500;

/** One standalone server with a temporary folder. */
export class ZookeeperServer extends DaemonServer {
  protected override readonly name = "ZooKeeper";
  /** Where its classes come from, or go to. */
  #classes = Deno.env.has(CLASSES_VARIABLE)
    ? `-XX:SharedArchiveFile=${Deno.env.get(CLASSES_VARIABLE)}`
    : "-Xshare:auto";

  /** Starts a server and waits until it serves. */
  static async start(place?: Place): Promise<ZookeeperServer> {
    return await this.startNew(
      "codis-zookeeper-",
      (folder) => new ZookeeperServer(freePort(), folder, place),
    );
  }

  /** Has all servers that processes of ours start from now on load their classes from a file, until `stack` ends. */
  static async keepClasses(stack: AsyncDisposableStack): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "codis-classes-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const file = `${folder}/zookeeper.jsa`;
    try {
      await using server = await this.startNew("codis-zookeeper-", (folder) => {
        const server = new ZookeeperServer(freePort(), folder);
        server.#classes = `-XX:ArchiveClassesAtExit=${file}`;
        return server;
      });
      await server.stop();
      Deno.env.set(CLASSES_VARIABLE, file);
    } catch (error) {
      // Who needs one says the same.
      console.log(`no ZooKeeper can be started: ${(error as Error).message}`);
    }
  }

  protected override async configure(): Promise<void> {
    const lines = [
      `dataDir=${this.folder}/data`,
      `clientPort=${this.port}`,
      `clientPortAddress=${this.place.host}`,
      // Sessions of a second or two, ended within a tick.
      "tickTime=200",
      "minSessionTimeout=500",
      "maxSessionTimeout=60000",
      "maxClientCnxns=0",
      "admin.enableServer=false",
      "4lw.commands.whitelist=srvr",
    ];
    await Deno.writeTextFile(`${this.folder}/zoo.cfg`, `${lines.join("\n")}\n`);
  }

  protected override words(): readonly string[] {
    return [
      ...["java", ...JAVA_FLAGS, this.#classes, "-cp", JAR],
      ...["org.apache.zookeeper.server.ZooKeeperServerMain", `${this.folder}/zoo.cfg`],
    ];
  }

  protected override async isServing(): Promise<boolean> {
    const connection = await Deno.connect({ hostname: this.place.host, port: this.port })
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
}
