/**
 * Two machines with a redis-server each, and a name in `/etc/hosts` that leads to one of them. This process
 * and its children see them; nobody else does.
 *
 *      our network ── 10.77.0.254 ══ 10.77.0.1 redis-server ┐ another network
 *                                 ══ 10.77.0.2 redis-server ┘
 *
 * The whole program must run in namespaces of its own: {@linkcode inNamespaces} starts it so.
 *
 * @module
 */

import { Child } from "./child.ts";

/** The name that leads to one of the machines. */
export const NAME = "redis-a";
/** The port of both servers. */
export const REDIS_PORT = 6379;
const INSIDE = "CODIS_TEST_IN_NAMESPACES";
const UNSHARE = ["--user", "--map-root-user", "--mount", "--net"];

/** Whether this machine lets us make namespaces. */
export function hasNamespaces(): boolean {
  try {
    const { success } = new Deno.Command("unshare", {
      args: [...UNSHARE, "ip", "link", "add", "nowhere", "type", "veth"],
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return success;
  } catch {
    return false;
  }
}

/**
 * Runs a program of this source tree, or a file of tests, in namespaces of its own.
 *
 * @param words `run` or `test`, and further words for Deno.
 */
export function inNamespaces(
  words: readonly string[],
  program: string,
  args: readonly string[] = [],
): Child {
  return new Child("unshare", {
    args: [...UNSHARE, Deno.execPath(), ...words, "-A", "--no-check", new URL(program).pathname]
      .concat(args),
    env: { [INSIDE]: "yes" },
  });
}

/** Whether {@linkcode inNamespaces} has started us. */
export function isInside(): boolean {
  return Deno.env.get(INSIDE) === "yes";
}

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

const ip = (...words: string[]) => run("ip", ...words);

/** See the header. */
export class TwoMachines implements AsyncDisposable {
  readonly addresses: readonly [string, string] = ["10.77.0.1", "10.77.0.2"];
  /** Where the name leads to: 0 or 1. */
  at = 0;
  readonly #folder = Deno.makeTempDirSync({ prefix: "codis-machines-" });
  readonly #hosts = `${this.#folder}/hosts`;
  readonly #network: Child;
  readonly #servers: (Child | undefined)[] = [];
  #lost: string | undefined;

  private constructor() {
    Deno.writeTextFileSync(this.#hosts, "127.0.0.1 localhost\n");
    run("mount", "--bind", this.#hosts, "/etc/hosts");
    this.#network = new Child("unshare", {
      args: ["--net", "sh", "-c", "echo made; exec sleep infinity"],
    });
  }

  /** Makes the networks and starts both servers. */
  static async start(): Promise<TwoMachines> {
    const machines = new TwoMachines();
    await machines.#start();
    return machines;
  }

  async #start(): Promise<void> {
    await this.#network.waitFor(() => this.#network.stdout.includes("made"));
    ip("link", "set", "lo", "up");
    ip("link", "add", "nowhere", "type", "veth", "peer", "name", "nobody");
    // Nobody is asked who has an address, so nobody can say that he has not.
    ip("link", "set", "nowhere", "arp", "off");
    ip("link", "set", "nowhere", "up");
    ip("link", "set", "nobody", "up");
    ip("link", "add", "ours", "type", "veth", "peer", "name", "theirs");
    ip("link", "set", "theirs", "netns", `${this.#network.pid}`);
    ip("addr", "add", "10.77.0.254/24", "dev", "ours");
    ip("link", "set", "ours", "up");
    this.#there("ip", "link", "set", "lo", "up");
    for (const address of this.addresses) {
      this.#there("ip", "addr", "add", `${address}/24`, "dev", "theirs");
    }
    this.#there("ip", "link", "set", "theirs", "up");
    await Promise.all([this.serve(0), this.serve(1)]);
    this.lead(0);
  }

  #there(...words: string[]): void {
    run("nsenter", "--net", "--target", `${this.#network.pid}`, ...words);
  }

  /** Starts the server of a machine, unless it runs. */
  async serve(i: 0 | 1): Promise<void> {
    if (this.#servers[i] !== undefined) return;
    const args = ["--bind", this.addresses[i], "--port", `${REDIS_PORT}`, "--save", ""];
    const server = new Child("nsenter", {
      args: [
        ...["--net", "--target", `${this.#network.pid}`, "redis-server", "--dir", this.#folder],
        ...["--protected-mode", "no", ...args],
      ],
    });
    this.#servers[i] = server;
    await server.waitFor(() => /ready to accept/i.test(server.stdout));
  }

  /** Kills the server of a machine. */
  async kill(i: 0 | 1): Promise<void> {
    const server = this.#servers[i];
    this.#servers[i] = undefined;
    await server?.end("SIGKILL");
  }

  /** Stops the server of a machine, or lets it go on: its system lives all the time. */
  stop(i: 0 | 1, isStopped = true): void {
    this.#servers[i]?.signal(isStopped ? "SIGSTOP" : "SIGCONT");
  }

  /** Lets the name lead to a machine. */
  lead(i: 0 | 1): void {
    this.at = i;
    this.nameIs(this.addresses[i]);
  }

  /** Gives the name these addresses; without any it has none. */
  nameIs(...addresses: string[]): void {
    const lines = ["127.0.0.1 localhost", ...addresses.map((address) => `${address} ${NAME}`), ""];
    // In place: another file would not be seen below the mount.
    Deno.writeTextFileSync(this.#hosts, lines.join("\n"));
  }

  /** From now on all that is sent to a machine is lost; nobody says so. Ends an earlier loss. */
  lose(i: 0 | 1 | undefined): void {
    if (this.#lost !== undefined) ip("route", "del", `${this.#lost}/32`, "dev", "nowhere");
    this.#lost = i === undefined ? undefined : this.addresses[i];
    if (this.#lost !== undefined) ip("route", "add", `${this.#lost}/32`, "dev", "nowhere");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill(0);
    await this.kill(1);
    await this.#network.end("SIGKILL");
    run("umount", "/etc/hosts");
    await Deno.remove(this.#folder, { recursive: true });
  }
}
