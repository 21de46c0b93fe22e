/**
 * A data plane in one thread: a router, and the socket that feeds it. With `--cpu=1` it is the whole
 * proxy's, in the process's own thread; with more, each worker has one.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type { UsersUpdate } from "../../acl/users.ts";
import { usersOf, UsersOwner } from "../../acl/users_owner.ts";
import { clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import { measureLoopLag } from "../../base/loop_lag.ts";
import type { SlotRule } from "../../hash/placement.ts";
import { Acceptor } from "../../io/acceptor.ts";
import { type AllowedWay, readAllowedWay } from "../../command/learned_row.ts";
import { causeOf } from "../../io/dial.ts";
import { type ClientConnection, listenForClients, listenShared } from "../../io/listen.ts";
import type { TlsToServers } from "../../io/tls.ts";
import { gateLimits, TlsGate, type TlsToClients } from "../../io/tls_gate.ts";
import type { AllowedCommand } from "../../model/allowed_command.ts";
import type { HotKeysReading } from "../../router/hot_keys/hot_keys.ts";
import { takeSnapshot } from "../../router/take_snapshot.ts";
import { clientPasswords, type UserReads } from "../../router/options.ts";
import type { Server } from "../../router/backends/server.ts";
import { Router } from "../../router/router.ts";
import { heardReplicasOf } from "../../router/slots/replication_info.ts";
import { onlyWorker, type WorkerContext } from "../../router/worker_context.ts";
import { LimitPlaces, type NamedLimits, type UserTake } from "../../router/limits/limit_cells.ts";
import {
  type ClientSearch,
  type FoundClients,
  searchClients,
} from "../../router/local/client_search.ts";
import type { SlowLogOrder, SlowLogReading } from "../../router/slow_log/slow_log.ts";
import type { Serving } from "../../router/serving.ts";
import type { ClusterMap } from "../../router/cluster_map.ts";
import type { GroupServers, SlotFill } from "../../router/slot_table.ts";
import type {
  DataPlane,
  ListenPlace,
  PlaneEvents,
  PlaneOptions,
  PlaneSettings,
  PlaneStats,
} from "./data_plane.ts";
import { routerEvents } from "../router_events.ts";

/** How long after the last question a server is kept, in milliseconds. */
const QUESTIONED_MS = 5_000;

const log = logger("proxy");

/** See the header. */
export class LocalPlane implements DataPlane {
  readonly router: Router;
  /** Of a plane that is the whole proxy's; in a worker, the pool has it. */
  readonly users: UsersOwner;
  #acceptors: readonly Acceptor<ClientConnection>[] = [];
  /** Who meets clients that speak TLS. */
  readonly #gate: TlsGate | undefined;
  readonly #isRoomy: boolean;
  /** Of limited users, in a plane that is the whole proxy's. */
  readonly limits: LimitPlaces;
  /** Whether clients may be served by a table. */
  #hasAccepted = false;
  #isListening = false;
  /** The masters that are asked for their replicas again and again. */
  readonly #questioned = new Map<
    string,
    { server: Server; timer: ReturnType<typeof setTimeout> }
  >();
  readonly #endLag: () => void;
  #keepAlive: ReturnType<typeof setInterval> | undefined;
  #keepAliveMs = 0;

  /** Makes a router with no slots and no clients. */
  constructor(options: PlaneOptions, events: PlaneEvents, context?: WorkerContext) {
    const { users = [], router } = options;
    this.#isRoomy = options.isRoomy ?? true;
    this.users = new UsersOwner(usersOf(users, clientPasswords(router)), (update) => {
      this.updateUsers(update);
      return Promise.resolve();
    });
    const alone = (): WorkerContext => ({
      ...onlyWorker(),
      changeUsers: (change, clientId) => this.users.change(change, clientId),
      changeConfig: (order, by) => events.changeConfig(order, by),
    });
    const { writeAccessLines } = events;
    this.router = new Router(
      router,
      { ...routerEvents(router), writeAccessLines },
      context ?? alone(),
    );
    this.limits = new LimitPlaces(this.router.shared.worker.limits.cells);
    if (users.length > 0) {
      this.router.updateUsers({ changed: users, deleted: [], isReload: false, by: 0 });
    }
    if (options.tls !== undefined) {
      this.#gate = new TlsGate(options.tls, {
        take: (connection) => this.router.accept(connection),
        onFailure: (remote, cause) => {
          this.router.shared.totals.failedHandshakes++;
          const { hostname } = remote as Deno.NetAddr;
          log.warn("TLS client {hostname} was cut: {cause}", { hostname, cause });
        },
      }, gateLimits(router.maxClients));
    }
    this.#endLag = measureLoopLag();
    // The first request read after a pause must not be served before anybody has noticed it.
    clock.pauseMs = options.pauseMs;
    clock.onPause = () => this.#hasAccepted && events.onPause();
    this.#pingEvery(options.keepAliveMs);
  }

  /**
   * Binds the sockets.
   *
   * @param isBeside Whether other workers, or another process of this proxy, may listen on the same ones.
   * @throws {Error} Naming the address, when one cannot be bound.
   */
  bind({ sockets, proto }: ListenPlace, isBeside = false): void {
    for (const { hostname, port, isTls = false } of sockets) {
      const at = { hostname, port };
      const mode = this.#isRoomy ? this.router.shared.options.readMode : "byob";
      const listener = isTls
        ? listenShared(at, proto, isBeside) // TLS is put on a connection that is read by promises
        : listenForClients(mode, at, proto, isBeside);
      const acceptor = new Acceptor<ClientConnection>(listener, {
        take: (connection) => isTls ? this.#gate!.take(connection) : this.router.accept(connection),
        // What is not TLS would mean nothing to a client that speaks it.
        refuse: (connection) => isTls ? this.router.drop() : this.router.refuse(connection),
        onFailure: (error, times) =>
          log.warn("accepting clients failed {times}: {cause}", {
            times: countOf(times, "time"),
            cause: causeOf(error),
          }),
      });
      this.#acceptors = [...this.#acceptors, acceptor];
    }
  }

  get addresses(): readonly Deno.NetAddr[] {
    return this.#acceptors.map(({ address }) => address);
  }

  acceptLoading(): void {
    if (this.#isListening) return;
    this.router.beginLoading();
    this.#listen();
  }

  accept(): Promise<void> {
    this.#hasAccepted = true;
    this.router.endLoading();
    this.#listen();
    return Promise.resolve();
  }

  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    for (const acceptor of this.#acceptors) acceptor.run();
  }

  async stopAccepting(isGentle = false): Promise<void> {
    if (isGentle) await Promise.all(this.#acceptors.map((acceptor) => acceptor.untilQuiet()));
    const closed = this.#acceptors.map((acceptor) => acceptor.stop(isGentle));
    if (!isGentle) this.#gate?.stop();
    await Promise.all(closed);
  }

  fillSlot(fill: SlotFill): Promise<void> {
    return this.router.shared.slots.fillSlot(fill);
  }

  resetSlot(slotId: number): Promise<void> {
    return this.router.shared.slots.resetSlot(slotId);
  }

  settleAll(): Promise<void> {
    return this.router.shared.slots.settleAll();
  }

  setRules(rules: readonly SlotRule[]): Promise<void> {
    return this.router.setRules(rules);
  }

  heardReplicas(addr: string): Promise<number> {
    clock.tick();
    // Kept while it is asked: its slots may be out of service, and how long it has been silent must be known.
    const { pool } = this.router.shared.slots;
    const kept = this.#questioned.get(addr);
    clearTimeout(kept?.timer);
    const server = kept?.server ?? pool.acquire(addr);
    const timer = setTimeout(() => {
      this.#questioned.delete(addr);
      pool.release(server);
    }, QUESTIONED_MS);
    this.#questioned.set(addr, { server, timer });
    return heardReplicasOf(server);
  }

  silentMs(addr: string, breakMs: number): Promise<number> {
    clock.tick();
    const server = this.router.shared.slots.pool.find(addr);
    return Promise.resolve(server?.sightedSilentMs(breakMs) ?? -1);
  }

  setReplicas(groups: readonly GroupServers[]): void {
    this.router.shared.slots.setReplicas(groups);
  }

  inForce(version: number): void {
    this.router.shared.slots.inForce(version);
  }

  loaded(version: number): void {
    this.router.shared.slots.loaded(version);
  }

  setServing(serving: Serving): void {
    this.router.setServing(serving);
  }

  allowCommands(commands: readonly AllowedCommand[]): void {
    const ways = commands.map(({ name, way }) => [name, readAllowedWay(way)] as const);
    this.router.shared.learned.allow(
      new Map(ways.filter((pair): pair is [string, AllowedWay] => pair[1] !== null)),
    );
  }

  setCluster(nodes: ClusterMap): void {
    this.router.setCluster(nodes);
  }

  /** The users are others now. */
  updateUsers(update: UsersUpdate): void {
    this.router.updateUsers(update);
  }

  set({ router, keepAliveMs }: PlaneSettings): Promise<void> {
    this.#pingEvery(keepAliveMs);
    this.#gate?.limitTo(gateLimits(router.maxClients));
    return this.users.setPasswords(clientPasswords(router), () => {
      this.router.setOptions(router);
      return Promise.resolve();
    });
  }

  #pingEvery(ms: number): void {
    if (ms === this.#keepAliveMs) return;
    this.#keepAliveMs = ms;
    clearInterval(this.#keepAlive);
    this.#keepAlive = ms === 0 ? undefined : setInterval(() => this.router.keepAlive(), ms);
  }

  limitUsers(users: readonly UserTake[]): Promise<void> {
    this.setLimits(this.limits.assign(users));
    return Promise.resolve();
  }

  setUserReads(reads: readonly UserReads[]): Promise<void> {
    this.router.setUserReads(reads);
    return Promise.resolve();
  }

  /** Users have other limits now. */
  setLimits(limits: readonly NamedLimits[]): void {
    this.router.limitUsers(limits);
  }

  leaveSessions(timeoutMs: number): Promise<void> {
    return this.router.leaveSessions(timeoutMs);
  }

  drainSessions(graceMs: number): Promise<void> {
    return this.router.drainSessions(graceMs);
  }

  slowLog(order: SlowLogOrder): Promise<readonly SlowLogReading[]> {
    return Promise.resolve([this.router.shared.orderSlowLog(order)]);
  }

  searchClients(search: ClientSearch): Promise<FoundClients> {
    return Promise.resolve(searchClients(this.router.shared, search));
  }

  hotKeys(): Promise<readonly HotKeysReading[]> {
    clock.tick();
    return Promise.resolve([this.router.shared.hotKeys.read("")]);
  }

  stats(): Promise<PlaneStats> {
    const sum = takeSnapshot(this.router.shared);
    return Promise.resolve({ sum, workers: [sum] });
  }

  setClientTls({ identity, certificates }: TlsToClients): void {
    this.#gate?.renew(identity, certificates);
  }

  setServerTls(tls: TlsToServers): void {
    const { backendTls } = this.router.shared.options;
    if (backendTls !== undefined) Object.assign(backendTls, tls);
  }

  /** The thread's own log is the only one. */
  setLogLevel(): void {}

  close(): void {
    this.#endLag();
    clearInterval(this.#keepAlive);
    for (const { timer } of this.#questioned.values()) clearTimeout(timer);
    clock.pauseMs = Infinity;
    clock.onPause = () => {};
    this.stopAccepting();
    this.router.close();
  }
}
