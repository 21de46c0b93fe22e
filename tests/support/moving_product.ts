/**
 * A product that goes from one coordinator to another, with its proxies: config files for each store, and the
 * command.
 *
 * @module
 */

import { callCli, type Ended } from "./cli_call.ts";
import type { Child } from "./child.ts";
import { configText, type ProxyProcess, startProgram } from "./proxy_process.ts";
import type { RemoteCoordinator } from "./remote_coordinator.ts";

/** See the header: the product of a proxy with an embedded store. */
export class MovingProduct {
  readonly #proxy: ProxyProcess;

  constructor(proxy: ProxyProcess) {
    this.#proxy = proxy;
  }

  /** Writes the config file of a store, and returns its name. */
  async config(store: "embedded" | RemoteCoordinator): Promise<string> {
    const { folder, httpPort } = this.#proxy;
    const [name, lines] = store === "embedded"
      ? [store, configText({ embedded_dir: `${folder}/data` })]
      : [store.name, store.config.replace("localhost:18087", `127.0.0.1:${httpPort}`)];
    const file = `${folder}/${name}.ini`;
    await Deno.writeTextFile(file, `${lines}\n`);
    return file;
  }

  /** Moves it; throws when that fails. */
  async move(from: string, to: string): Promise<string> {
    const { code, stdout, stderr } = await this.tryMove(from, to);
    if (code === 0) return stdout;
    throw new Error(`config move has failed: ${stdout}${stderr}\n${this.#proxy.stderr}`);
  }

  /** Tries to move it. */
  tryMove(from: string, to: string, ...words: string[]): Promise<Ended> {
    return callCli(...moveWords(from, to), "--yes", ...words);
  }

  /** Begins to move it, as a process of its own. */
  startMove(from: string, to: string): Child {
    return startProgram([...moveWords(from, to), "--yes"], { TMPDIR: this.#proxy.folder });
  }
}

function moveWords(from: string, to: string): string[] {
  return ["config", "move", "-c", from, `--to=${to}`, "--output=table"];
}
