/**
 * A product of the real Codis 3.2 on ZooKeeper: its dashboard and two of its proxies. `CODIS3_DASHBOARD=<path>` and
 * `CODIS3_PROXY=<path>` name the programs.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Child } from "./child.ts";
import { until } from "./deadline.ts";
import { freePort } from "./free_port.ts";

/** The programs; undefined: there are none to try. */
export const CODIS3_PROGRAMS = programs();

function programs(): { dashboard: string; proxy: string } | undefined {
  const [dashboard, proxy] = [Deno.env.get("CODIS3_DASHBOARD"), Deno.env.get("CODIS3_PROXY")];
  return dashboard === undefined || proxy === undefined ? undefined : { dashboard, proxy };
}

const PRODUCT = "shop";
/** What the dashboard wants to see in paths: it says the product's name. */
const XAUTH = createHash("sha256").update(`Codis-XAuth-[${PRODUCT}]`).digest("hex").slice(0, 32);

/** See the header; with a group for each server, and the slots spread evenly. */
export class Codis3Product implements AsyncDisposable {
  readonly dashboard: Child;
  /** The dashboard.toml. */
  readonly toml: string;
  readonly proxies: readonly { readonly child: Child; readonly port: number }[];
  readonly #folder: string;
  readonly #api: string;

  private constructor(folder: string, zookeeper: string, admins: readonly number[]) {
    this.#folder = folder;
    const { dashboard, proxy } = CODIS3_PROGRAMS!;
    const port = freePort();
    this.#api = `http://127.0.0.1:${port}/api/topom`;
    this.toml = `${folder}/dashboard.toml`;
    this.dashboard = this.#start(dashboard, this.toml, {
      coordinator_name: "zookeeper",
      coordinator_addr: zookeeper,
      admin_addr: `127.0.0.1:${port}`,
    });
    this.proxies = admins.map((admin) => {
      const port = freePort();
      const child = this.#start(proxy, `${folder}/proxy${port}.toml`, {
        proxy_addr: `127.0.0.1:${port}`,
        admin_addr: `127.0.0.1:${admin}`,
        jodis_name: "zookeeper",
        jodis_addr: zookeeper,
        proxy_heap_placeholder: "1mb",
      });
      return { child, port };
    });
  }

  /** Starts all of it. */
  static async start(
    zookeeper: string,
    servers: readonly { readonly addr: string }[],
  ): Promise<Codis3Product> {
    const admins = [freePort(), freePort()];
    const product = new Codis3Product(await Deno.makeTempDir(), zookeeper, admins);
    try {
      for (const [i, { addr }] of servers.entries()) {
        await until(() => product.#put(`group/create/${XAUTH}/${i + 1}`));
        await until(() => product.#put(`group/add/${XAUTH}/${i + 1}/${addr}`));
      }
      for (const admin of admins) {
        await until(() => product.#put(`proxy/create/${XAUTH}/127.0.0.1:${admin}`));
      }
      const half = 1024 / servers.length;
      const slots = Array.from({ length: 1024 }, (_, id) => {
        return { id, group_id: 1 + Math.floor(id / half), action: {} };
      });
      await until(() => product.#put(`slots/assign/${XAUTH}`, slots));
      return product;
    } catch (error) {
      await product[Symbol.asyncDispose]();
      throw error;
    }
  }

  #start(program: string, file: string, config: Readonly<Record<string, string>>): Child {
    const lines = Object.entries({ product_name: PRODUCT, ...config })
      .map(([key, value]) => `${key} = "${value}"\n`);
    Deno.writeTextFileSync(file, lines.join(""));
    return new Child(program, { args: ["--ncpu=1", `--config=${file}`], cwd: this.#folder });
  }

  /** Whether it has worked: before they have started, nothing does. */
  async #put(path: string, body?: unknown): Promise<boolean> {
    const response = await fetch(`${this.#api}/${path}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const proxies = this.proxies.map(({ child }) => child);
    for (const child of [this.dashboard, ...proxies]) await child.end("SIGKILL");
    await Deno.remove(this.#folder, { recursive: true });
  }
}
