/**
 * The dashboard as operators start it: `await using dashboard = await DashboardProcess.start(config)`.
 *
 * @module
 */

import type { Child } from "./child.ts";
import { tellsThatItLeads } from "./cluster_view.ts";
import { until } from "./deadline.ts";
import { freePort } from "./free_port.ts";
import { HERE, type Place } from "./place.ts";
import { configText, startProgram } from "./proxy_process.ts";

/** How long a start may take, in milliseconds. */
const START_MS = 20_000;

/** A dashboard process with a config file of its own. */
export class DashboardProcess implements AsyncDisposable {
  readonly port: number;
  /** `host:port`. */
  readonly addr: string;
  /** The config file that it runs with, for `config` commands. */
  readonly configFile: string;
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #place: Place;
  #child: Child | undefined;

  private constructor(
    folder: string,
    configFile: string,
    port: number,
    args: readonly string[],
    place: Place,
  ) {
    this.#folder = folder;
    this.configFile = configFile;
    this.port = port;
    this.addr = `${place.host}:${port}`;
    this.#args = args;
    this.#place = place;
  }

  /**
   * Starts a dashboard and waits until it leads, or stands by where another one does.
   *
   * @param config Lines of config.ini; `dashboard_addr` is added.
   * @param place Where it runs.
   */
  static async start(
    config: Readonly<Record<string, string | number>>,
    args: readonly string[] = [],
    place: Place = HERE,
  ): Promise<DashboardProcess> {
    const folder = await Deno.makeTempDir({ prefix: "codis-dashboard-" });
    const port = freePort();
    const configFile = `${folder}/config.ini`;
    await Deno.writeTextFile(
      configFile,
      configText({ dashboard_addr: `${place.host}:${port}`, ...config }),
    );
    const dashboard = new DashboardProcess(folder, configFile, port, args, place);
    try {
      await dashboard.restart();
      return dashboard;
    } catch (error) {
      await dashboard[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Starts it again after `kill` or `stop`, at the same address, and waits until it leads, or stands by where
   * another one does.
   */
  async restart(): Promise<void> {
    const words = ["dashboard", "-c", this.configFile, `--addr=${this.addr}`, ...this.#args];
    const child = this.#child = startProgram(words, {}, undefined, [], undefined, this.#place);
    await until(async () => {
      if (child.hasEnded) throw new Error(`it ended: ${child.stderr}`);
      const response = await fetch(this.url("/api/cluster")).catch(() => undefined);
      if (response?.status === 200) return tellsThatItLeads(await response.json());
      const text = await response?.text() ?? "";
      return response?.status === 503 && !["", this.addr].includes(JSON.parse(text).leader ?? "");
    }, START_MS);
  }

  /** The process, running or ended. */
  get child(): Child {
    if (this.#child === undefined) throw new Error("the dashboard was never started");
    return this.#child;
  }

  /** The address of a path of its endpoint. */
  url(path: string): string {
    return `http://${this.addr}${path}`;
  }

  /** Sends a request; the answer's status and text. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    { headers, client }: { headers?: Record<string, string>; client?: Deno.HttpClient } = {},
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(this.url(path), {
      ...{ method, ...client === undefined ? {} : { client } },
      headers: { "content-type": "application/json", ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    await this.child.end("SIGKILL");
  }

  /** Ends it with SIGTERM and returns the exit code. */
  async stop(): Promise<number> {
    return (await this.child.end("SIGTERM")).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.end("SIGKILL");
    await Deno.remove(this.#folder, { recursive: true });
  }
}
