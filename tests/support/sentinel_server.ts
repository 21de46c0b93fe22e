/**
 * A real redis-sentinel of a test's own: `await using sentinels = await SentinelServer.startMany(3)`.
 *
 * @module
 */

import { Child } from "./child.ts";
import { freePort } from "./free_port.ts";
import { RespClient } from "./resp_client.ts";

/** Sentinels that end together. */
export type SentinelServers = SentinelServer[] & AsyncDisposable;

/** One redis-sentinel process with a temporary folder, on 127.0.0.1, that watches nothing. */
export class SentinelServer implements AsyncDisposable {
  readonly port: number;
  /** `host:port`. */
  readonly addr: string;
  readonly #folder: string;
  #child: Child | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.addr = `127.0.0.1:${port}`;
    this.#folder = folder;
  }

  /**
   * Starts a sentinel.
   *
   * @param lines Further lines of its configuration, such as `requirepass word`.
   */
  static async start(lines: readonly string[] = []): Promise<SentinelServer> {
    const folder = await Deno.makeTempDir({ prefix: "codis-sentinel-" });
    const sentinel = new SentinelServer(freePort(), folder);
    await Deno.writeTextFile(
      `${folder}/sentinel.conf`,
      [
        ...[`port ${sentinel.port}`, "bind 127.0.0.1", `dir ${folder}`, "protected-mode no"],
        ...lines,
      ].join("\n"),
    );
    await sentinel.restart();
    return sentinel;
  }

  /** Starts `count` sentinels at once; disposing the list disposes all of them. */
  static async startMany(count: number, lines?: readonly string[]): Promise<SentinelServers> {
    const started = Array.from({ length: count }, () => SentinelServer.start(lines));
    return Object.assign(await Promise.all(started), {
      async [Symbol.asyncDispose](this: SentinelServer[]) {
        await Promise.all(this.map((sentinel) => sentinel[Symbol.asyncDispose]()));
      },
    });
  }

  /** Starts it again with what it has stored, after `kill`. */
  async restart(): Promise<void> {
    const child = new Child("redis-sentinel", { args: [`${this.#folder}/sentinel.conf`] });
    await child.waitFor(() => /Sentinel ID is/.test(child.stdout));
    this.#child = child;
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.end("SIGKILL");
  }

  /** Stops it for a while without ending it. */
  pause(): void {
    this.#child?.signal("SIGSTOP");
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#child?.signal("SIGCONT");
  }

  /** What it has said so far. */
  get log(): string {
    return this.#child?.stdout ?? "";
  }

  /** Opens a connection to it. */
  client(): Promise<RespClient> {
    return RespClient.connect(this.port);
  }

  /** Kills it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
