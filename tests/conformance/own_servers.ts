/**
 * Servers for units whose blocks each start a server of their own, with users in its configuration: judge.tcl
 * asks for them over a socket, and gets the port of a new target.
 *
 *     judge.tcl ── "aclfile⇥user.acl⇥dir⇥…" ──► a new target starts, the old one ends
 *     judge.tcl ◄── "7001" ────────────────────┘
 *
 * @module
 */

import { startTarget, type Target, type Way } from "./target.ts";

/** Units that are run so: runtest itself runs them only with its own servers. */
export const OWN_SERVER_UNITS: readonly string[] = ["unit/acl", "unit/acl-v2"];

/** See the header. */
export class OwnServers implements Target {
  readonly #way: Way;
  readonly #cpu: number;
  /** Redis's source folder, to which the suite's paths are relative. */
  readonly #folder: string;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #current: Target;
  #logs = "";

  private constructor(way: Way, cpu: number, folder: string, first: Target) {
    this.#way = way;
    this.#cpu = cpu;
    this.#folder = folder;
    this.#current = first;
    this.#serve();
  }

  /** Starts with a target that is configured as for any unit. */
  static async start(way: Way, cpu: number, folder: string): Promise<OwnServers> {
    return new OwnServers(way, cpu, folder, await startTarget(way, cpu));
  }

  /** Where judge.tcl asks. */
  get controlPort(): number {
    return this.#listener.addr.port;
  }

  get port(): number {
    return this.#current.port;
  }

  log = () => `${this.#logs}${this.#current.log()}`;
  slotsMoved = () => this.#current.slotsMoved();
  failure = () => this.#current.failure();

  async #serve(): Promise<void> {
    for await (const connection of this.#listener) {
      using _closing = connection;
      const line = await readLine(connection);
      await this.#restart(line.split("\t"));
      await connection.write(new TextEncoder().encode(`${this.port}\n`));
    }
  }

  /** @param words Names and values of redis.conf, in turns. */
  async #restart(words: readonly string[]): Promise<void> {
    const value = (name: string) => {
      const at = words.indexOf(name);
      return at < 0 ? "" : words[at + 1]!;
    };
    this.#logs += this.#current.log();
    await this.#current[Symbol.asyncDispose]();
    const file = value("aclfile");
    this.#current = await startTarget(this.#way, this.#cpu, {
      aclFile: file === "" ? "" : `${this.#folder}/${value("dir")}/${file}`,
      user: value("user"),
      pubsubDefault: value("acl-pubsub-default"),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#current[Symbol.asyncDispose]();
  }
}

async function readLine(connection: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(4096);
  while (!text.endsWith("\n")) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text.trimEnd();
}
