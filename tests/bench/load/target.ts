/**
 * What is measured: redis-server itself, twemproxy and the proxy, before the same two redis-servers, and the least
 * program in Deno that passes requests on, before one of them.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { loadSlot, saveSlot } from "../../../src/store/slots.ts";
import { Child } from "../../support/child.ts";
import { freePort } from "../../support/free_port.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** A process that takes the load. */
export interface Target extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** The process whose CPU time and memory are told. */
  readonly pid: number;
}

/** How `read_mode` of the proxy may be set. */
export const READ_MODES = ["byob", "direct"] as const;

/** Clients that the proxy takes: its own default. */
const CLIENTS_MAX = 10_000;
const CONNECT_LIMIT_MS = 5_000;
const CONNECT_PERIOD_MS = 20;

/** The first redis-server, with nothing before it. */
export function redisTarget({ port, pid }: RedisServer): Target {
  return { name: "redis-server", port, pid, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** How the proxy is started. */
export interface ProxyTargetOptions {
  /** One of {@linkcode READ_MODES}. */
  readonly readMode: string;
  /** How many slots are in `migrate`: their keys are moved when they are first asked for. @default 0 */
  readonly migrating?: number;
  /** Workers. @default 1 */
  readonly cpu?: number;
  /** More of config.ini. */
  readonly config?: Readonly<Record<string, string | number>>;
}

/** The proxy of this source tree, or the file that CODIS_PROXY_BIN names. */
export async function proxyTarget(
  servers: readonly RedisServer[],
  { readMode, migrating = 0, cpu = 1, config = {} }: ProxyTargetOptions,
): Promise<Target> {
  const folder = await StoreFolder.make();
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  for (let slotId = 0; slotId < migrating; slotId++) {
    const slot = await loadSlot(store, slotId);
    // All the same way: servers that give each other keys would stand still.
    const state = { ...slot.state, status: "migrate", migrate_status: { from: 1, to: 2 } } as const;
    await saveSlot(store, { ...slot, group_id: 2, state });
  }
  const proxy = await ProxyProcess.start({
    config: { read_mode: readMode, embedded_dir: folder.dir, max_clients: CLIENTS_MAX, ...config },
    cpu,
  });
  const name = [
    `codis-proxy ${readMode}`,
    ...cpu === 1 ? [] : [`${cpu} workers`],
    ...migrating === 0 ? [] : [`${migrating} slots in migrate`],
  ].join(", ");
  return {
    name,
    port: proxy.port,
    pid: proxy.pid,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Debian's nutcracker as it is set up by default. */
export async function twemproxyTarget(servers: readonly RedisServer[]): Promise<Target> {
  const folder = await Deno.makeTempDir({ prefix: "codis-twemproxy-" });
  const port = freePort();
  const pool = [
    "bench:",
    `  listen: 127.0.0.1:${port}`,
    "  hash: fnv1a_64",
    "  distribution: ketama",
    "  redis: true",
    "  servers:",
    ...servers.map(({ addr }) => `    - ${addr}:1`),
  ];
  await Deno.writeTextFile(`${folder}/nutcracker.yml`, `${pool.join("\n")}\n`);
  const child = new Child("nutcracker", {
    args: [
      ...["-c", `${folder}/nutcracker.yml`, "-o", `${folder}/log`],
      ...["-a", "127.0.0.1", "-s", `${freePort()}`],
    ],
  });
  const dispose = async () => {
    await child.end("SIGKILL");
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await waitForPort(port, child);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { name: "twemproxy", port, pid: child.pid, [Symbol.asyncDispose]: dispose };
}

/**
 * The forwarder of {@link ./forwarder.ts}, by `conn` or by `handle`, before the first server, or the `router` of
 * {@link ./least_router.ts} before all.
 */
export async function leastTarget(
  servers: readonly RedisServer[],
  how: "conn" | "handle" | "router",
): Promise<Target> {
  const port = freePort();
  const serverPorts = servers.map((server) => `${server.port}`);
  const words = how === "router"
    ? ["least_router.ts", `${port}`, ...serverPorts]
    : ["forwarder.ts", how, `${port}`, serverPorts[0]!];
  const [script, ...args] = words;
  const child = new Child(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--allow-net", "--v8-flags=--max-semi-space-size=4"],
      ...[new URL(`./${script}`, import.meta.url).pathname, ...args],
    ],
    env: { DENO_TOKIO_EVENT_INTERVAL: "1" },
  });
  await child.waitFor(() => child.stdout.includes("ready"));
  const dispose = async () => void await child.end("SIGKILL");
  return { name: `Deno alone, ${how}`, port, pid: child.pid, [Symbol.asyncDispose]: dispose };
}

async function waitForPort(port: number, child: Child): Promise<void> {
  const deadline = Date.now() + CONNECT_LIMIT_MS;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (child.hasEnded || Date.now() > deadline) {
        throw new Error(`nutcracker does not serve\n${child.stderr}`, { cause: error });
      }
    }
    await delay(CONNECT_PERIOD_MS);
  }
}
