/**
 * One worker of a proxy: a thread with a data plane of its own. This module is what `worker_pool.ts`
 * starts a thread with; nothing imports it.
 *
 *     pool ── fillSlot, setServing, … ──► LocalPlane ◄── clients, from the port that all share
 *     pool ◄── paused, log lines, INFO of the whole proxy ──┘
 *
 * A pause of the process is noticed by each worker itself, before it serves what it read first: a
 * message from the pool might come after that. It serves again when the pool says so and knows of the
 * pause; a message that was under way before does not count.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { type LogLevel, setLogLevel, startLog } from "../../base/log.ts";
import { RemoteCalls } from "../../base/remote_call.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { UnblockReply } from "../../router/blocking/blocked.ts";
import { invalidate, redirectTo } from "../../router/client/invalidation.ts";
import type { Pause, PauseMode } from "../../router/client/pause.ts";
import { searchClients } from "../../router/local/client_search.ts";
import { killClients, listClients } from "../../router/local/client_filter.ts";
import { unblockClient } from "../../router/local/client_unblock.ts";
import type { WorkerContext } from "../../router/worker_context.ts";
import { takeSnapshot } from "../../router/take_snapshot.ts";
import { LocalPlane } from "./local_plane.ts";
import { sharedContext } from "./shared_context.ts";
import type { PoolCalls, WorkerCalls, WorkerStart } from "./worker_calls.ts";

/** What a worker has of its thread; the types of a page's global scope do not fit. */
interface WorkerScope {
  onmessage: (event: MessageEvent) => void;
  postMessage(message: string): void;
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }) => serve(data as WorkerStart);

function setPause(pause: Pause, mode: PauseMode | null, ms: number): void {
  if (mode === null) pause.end();
  else pause.extend(mode, ms);
}

function unblock(plane: LocalPlane, id: number, reply: UnblockReply): Promise<boolean> {
  return new Promise((resolve) => unblockClient(plane.router.shared, id, reply, resolve));
}

/** Hands every line to the process's log. */
function logTo(pool: RemoteCalls<PoolCalls>, level: LogLevel, worker: number): void {
  startLog({ level, write: (entry) => pool.notify("writeLogEntry", { ...entry, worker }) });
}

function serve({ plane: options, logLevel, index, counts }: WorkerStart): void {
  let pauses = 0;
  const own: WorkerCalls = {
    fillSlot: (fill) => plane.fillSlot(fill),
    resetSlot: (slotId) => plane.resetSlot(slotId),
    settleAll: () => plane.settleAll(),
    setRules: (rules) => plane.setRules(rules),
    heardReplicas: (addr) => plane.heardReplicas(addr),
    silentMs: (addr, breakMs) => plane.silentMs(addr, breakMs),
    setReplicas: (groups) => plane.setReplicas(groups),
    inForce: (version) => plane.inForce(version),
    loaded: (version) => plane.loaded(version),
    bind: (place) => plane.bind(place, true),
    acceptLoading: () => plane.acceptLoading(),
    accept: () => plane.accept(),
    stopAccepting: (isGentle) => plane.stopAccepting(isGentle),
    setServing: (serving, heardPauses) => {
      if (serving !== "serving" || heardPauses === pauses) plane.setServing(serving);
    },
    allowCommands: (commands) => plane.allowCommands(commands),
    setCluster: (nodes) => plane.setCluster(nodes),
    updateUsers: (update) => plane.updateUsers(update),
    setLimits: (limits) => plane.setLimits(limits),
    setUserReads: (reads) => plane.setUserReads(reads),
    set: (settings) => plane.set(settings),
    leaveSessions: (timeoutMs) => plane.leaveSessions(timeoutMs),
    drainSessions: (graceMs) => plane.drainSessions(graceMs),
    stats: () => takeSnapshot(plane.router.shared),
    aclLog: (isReset) => plane.router.shared.aclLog.read(isReset),
    slowLog: (order) => plane.router.shared.orderSlowLog(order),
    hotKeys: (forgotten) => plane.router.shared.hotKeys.read(forgotten),
    listClients: (filter) => listClients(plane.router.shared, filter),
    searchClients: (search) => searchClients(plane.router.shared, search),
    killClients: (filter) => killClients(plane.router.shared, filter),
    pause: (mode, ms) => setPause(plane.router.shared.pause, mode, ms),
    watchedElsewhere: (filters) => plane.router.shared.monitors.watchedElsewhere(filters),
    monitored: (lines) => plane.router.shared.monitors.give(lines),
    redirectTo: (id) => redirectTo(plane.router.shared.clients, id),
    hearAll: (id) =>
      new Promise((resolve) => plane.router.shared.trackers.hearAll(id, () => resolve())),
    invalidate: (id, keys) => invalidate(plane.router.shared.clients, id, latin1Bytes(keys)),
    unblockClient: (id, reply) => unblock(plane, id, reply),
    scriptSeen: (sha, found) => plane.router.shared.scripts.heard(sha, found),
    press: () => plane.router.shared.budget.isAboveShare && plane.router.runAtTurnEnd(),
    setClientTls: (tls) => plane.setClientTls(tls),
    setServerTls: (tls) => plane.setServerTls(tls),
    setLogLevel,
    close: () => plane.close(),
  };
  const pool = new RemoteCalls<PoolCalls>((message) => scope.postMessage(message), own);
  logTo(pool, logLevel, index);
  const changes = changesThrough(pool);
  const plane = new LocalPlane(
    options,
    {
      onPause() {
        pauses++;
        plane.setServing("held");
        pool.notify("paused", pauses);
      },
      writeAccessLines: (lines) => pool.call("writeAccessLines", lines),
      changeConfig: changes.changeConfig,
    },
    sharedContext(counts, index, changes, peersThrough(pool)),
  );
  scope.onmessage = ({ data }) => {
    clock.tick(); // before anything else, as with every event: it may be the first after a pause
    pool.receive(data as string);
  };
}

/** What the pool changes for all workers. */
function changesThrough(
  pool: RemoteCalls<PoolCalls>,
): Pick<WorkerContext, "changeUsers" | "changeConfig"> {
  return {
    changeUsers: (change, clientId) => pool.call("changeUsers", change, clientId),
    changeConfig: (order, by) => pool.call("changeConfig", order, by),
  };
}

/** The other workers, as they are reached through the pool. */
function peersThrough(pool: RemoteCalls<PoolCalls>): Parameters<typeof sharedContext>[3] {
  return {
    stats: () => pool.call("proxyStats"),
    aclLog: (isReset) => pool.call("aclLog", isReset),
    slowLog: (order) => pool.call("slowLog", order),
    hotKeys: (forgotten) => pool.call("hotKeys", forgotten),
    listClients: (filter) => pool.call("listClients", filter),
    killClients: (filter) => pool.call("killClients", filter),
    pause: (mode, ms) => pool.call("pause", mode, ms),
    watch: (filters) => pool.call("watch", filters),
    monitored: (lines) => pool.call("monitored", lines),
    redirectTo: (id) => pool.call("redirectTo", id),
    hearAll: (id) => pool.call("hearAll", id),
    invalidate: (id, keys) => pool.call("invalidate", id, keys),
    unblockClient: (id, reply) => pool.call("unblockClient", id, reply),
    scriptSeen: (sha, found) => pool.notify("scriptSeen", sha, found),
    press: () => pool.notify("pressOthers"),
  };
}
