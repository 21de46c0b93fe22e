/**
 * The data plane alone, in this process, behind a real port: `await using proxy =
 * await RouterServer.start({ servers })`.
 *
 * @module
 */

import { Users } from "../../src/acl/users.ts";
import { UsersOwner } from "../../src/acl/users_owner.ts";
import type { Listener } from "../../src/io/acceptor.ts";
import { type ClientConnection, listenForClients } from "../../src/io/listen.ts";
import { slotIdOf } from "../../src/hash/slot_id.ts";
import type { Backend } from "../../src/router/backends/backend.ts";
import { clientPasswords, type RouterOptions } from "../../src/router/options.ts";
import type { RouterEvents } from "../../src/router/events.ts";
import { Router } from "../../src/router/router.ts";
import type { Session } from "../../src/router/client/session.ts";
import { onlyWorker } from "../../src/router/worker_context.ts";
import type { SlotFill } from "../../src/router/slot_table.ts";
import { RespClient } from "./resp_client.ts";

/** Options as the configuration's defaults give them, changed where a test says so. */
export function testOptions(change: Partial<RouterOptions> = {}): RouterOptions {
  return {
    readMode: "byob",
    password: "",
    isProtected: true,
    tlsAuthUser: "off",
    backendUser: "",
    backendPassword: "",
    maxClients: 10_000,
    clientHandlesMax: 1_000,
    dialMode: change.readMode ?? "byob",
    sessionIdleMs: 1_800_000,
    sessionAuthMs: 10_000,
    sessionPartialMs: 30_000,
    sessionWriteMs: 30_000,
    sessionReadBytesMax: 128 * 1024,
    sessionPipelineMax: 1024,
    sessionBufferBytesMax: 64 * 1024 * 1024,
    proxyBufferBytesMax: 128 * 1024 * 1024,
    backendDialMs: 1000,
    backendTimeoutMs: 15_000,
    backendConnections: 1,
    privateConnectionsMax: 1000,
    multiSlotTransactions: false,
    slotWaitMs: 20_000,
    readFrom: "master",
    readYourWrites: true,
    replicaLagMs: 2_000,
    replicaLagBytesMax: 16 * 1024 * 1024,
    slowerThanUs: 10_000,
    requestSample: 0,
    hasAccessLog: false,
    hotKeySamples: 4_000,
    destructiveCommands: true,
    undeclaredKeys: false,
    clusterMode: false,
    serverCommands: false,
    shownConfig: [],
    version: "test",
    ...change,
  };
}

/** How a data plane is started. */
export interface RouterServerOptions {
  /** Servers that share the slots evenly, as `servers = …` does. */
  readonly servers?: readonly { readonly addr: string }[];
  readonly options?: Partial<RouterOptions>;
}

const SLOTS = 1024;

/** A router that listens on 127.0.0.1; events are kept. */
export class RouterServer implements AsyncDisposable {
  readonly router: Router;
  readonly port: number;
  /** What the router reported, one line each. */
  readonly events: string[] = [];
  readonly #listener: Listener<ClientConnection>;
  #isClosed = false;
  readonly #accepting: Promise<void>;
  #actions = 0;

  private constructor(options: RouterOptions) {
    const owner = new UsersOwner(new Users(clientPasswords(options)), (update) => {
      this.router.updateUsers(update);
      return Promise.resolve();
    });
    this.router = new Router(options, this.#record(), {
      ...onlyWorker(),
      changeUsers: (change, clientId) => owner.change(change, clientId),
    });
    this.#listener = listenForClients(options.readMode, { hostname: "127.0.0.1", port: 0 });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#accepting = this.#accept();
  }

  /** Starts a data plane and fills its slots. */
  static async start(start: RouterServerOptions = {}): Promise<RouterServer> {
    const server = new RouterServer(testOptions(start.options));
    const servers = start.servers ?? [];
    await fillEvenly(server, servers);
    return server;
  }

  /** Gives a slot an owner, as an action of its own. */
  async fill(slotId: number, addr: string, change: Partial<SlotFill> = {}): Promise<void> {
    await this.router.shared.slots.fillSlot(slotFill(slotId, addr, change));
    this.router.shared.slots.inForce(++this.#actions);
  }

  /** Opens a connection as a Redis client. */
  client(): Promise<RespClient> {
    return RespClient.connect(this.port);
  }

  /** The session of a client. */
  sessionOf(client: RespClient): Session {
    const { port } = client.conn.localAddr as Deno.NetAddr;
    for (const session of this.router.sessions.values()) {
      if (session.remote.endsWith(`:${port}`)) return session;
    }
    throw new Error("the client has no session");
  }

  /** Nothing is left of any request: no slot counts one, and no byte is charged. */
  leftovers(): string[] {
    const left: string[] = [];
    for (const { id, inFlight } of this.router.shared.slots.all) {
      if (inFlight !== 0) left.push(`slot ${id}: ${inFlight} in flight`);
    }
    if (this.router.shared.budget.usedBytes !== 0) {
      left.push(`${this.router.shared.budget.usedBytes} bytes`);
    }
    return left;
  }

  async #accept(): Promise<void> {
    for (;;) {
      let connection: ClientConnection;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (this.#isClosed) return;
        throw error;
      }
      connection.setNoDelay(true);
      this.router.accept(connection);
    }
  }

  #record(): RouterEvents {
    const { events } = this;
    const place = ({ server, database, protocol }: Backend) =>
      `${server.address} db ${database} RESP${protocol}`;
    return {
      backendReady: (backend) => events.push(`ready ${place(backend)}`),
      backendLost: (backend, cause, wasReady) =>
        events.push(`${wasReady ? "lost" : "unreachable"} ${place(backend)}: ${cause}`),
      circuitOpened: ({ address, circuit }) =>
        events.push(`circuit of ${address} opened: ${circuit.cause}`),
      circuitClosed: ({ address }) => events.push(`circuit of ${address} closed`),
      sessionOpened: () => events.push("session opened"),
      sessionClosed: () => events.push("session closed"),
      sessionOverflowed: () => events.push("session overflowed"),
      monitorDropped: () => events.push("monitor dropped"),
      sessionEvicted: () => events.push("session evicted"),
      sessionMisunderstood: (_session, error) => events.push(`misunderstood: ${error}`),
      sessionTimedOut: (_session, reason) => events.push(`session timed out: ${reason}`),
      serversDiffer: (parameter, one, two) => events.push(`${parameter} differs: ${one} ${two}`),
      clientsProtectedFrom: (address, count) => events.push(`refused ${address}: ${count}`),
      authsRefused: (_session, _address, count) => events.push(`wrong passwords: ${count}`),
      subscriptionsLost: (address, cause) =>
        events.push(`subscriptions at ${address} lost: ${cause}`),
      subscriptionsBack: (address, clients) =>
        events.push(`subscriptions of ${clients} clients at ${address} are back`),
      slotDrainTimedOut: (slotId, backends) =>
        events.push(`drain of slot ${slotId} timed out: ${backends.map(place).join(", ")}`),
    };
  }

  /** Stops listening and closes every session and backend. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#listener.close();
    await this.#accepting;
    this.router.close();
  }
}

/** The slot of a key. */
export function slotOf(key: string): number {
  const bytes = new TextEncoder().encode(key);
  return slotIdOf(bytes, 0, bytes.length);
}

/** A key with this beginning whose slot is `isWanted`. */
export function keyWhere(isWanted: (slotId: number) => boolean, beginning = "k"): string {
  for (let i = 0;; i++) if (isWanted(slotOf(`${beginning}${i}`))) return `${beginning}${i}`;
}

/** A key that lives on server number `index` of `count` that share the slots evenly. */
export function keyOn(index: number, count: number, beginning = "k"): string {
  return keyWhere((slotId) => Math.floor(slotId * count / SLOTS) === index, beginning);
}

/** What a slot that is open and not migrating is filled with, but for a change. */
export function slotFill(slotId: number, addr: string, change: Partial<SlotFill> = {}): SlotFill {
  return {
    slotId,
    groupId: 1,
    backendAddr: addr,
    migrateFromAddr: "",
    migrateFromGroupId: -1,
    isBlocked: false,
    ...change,
  };
}

/** Spreads all slots evenly over servers, one group for each; none is left as it is. */
export async function fillEvenly(
  plane: { fill(slotId: number, addr: string, change: Partial<SlotFill>): Promise<void> },
  servers: readonly { readonly addr: string }[],
): Promise<void> {
  if (servers.length === 0) return;
  await Promise.all(Array.from({ length: SLOTS }, (_, slotId) => {
    const group = Math.floor(slotId * servers.length / SLOTS);
    return plane.fill(slotId, servers[group]!.addr, { groupId: group + 1 });
  }));
}
