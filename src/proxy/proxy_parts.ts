/**
 * What a process has before it is a proxy: its files, the process that it takes over from, and the data plane.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { TlsIdentity } from "../io/tls.ts";
import { isTracing } from "../router/reports/spans.ts";
import { AccessLog } from "./access_log.ts";
import { type FirstRoom, firstThatFit, refuseNoRoomForWorkers } from "./client_room.ts";
import { changeConfig } from "./configured_proxy.ts";
import type { ProxyStart } from "./proxy_start.ts";
import { optionsThatFit } from "./router_options.ts";
import { gapMs, listenPlace, readClientTls } from "./start_plan.ts";
import { findOldProcess, type Processes } from "./upgrade/take_over.ts";
import { readUsers } from "./users.ts";
import type { DataPlane, ListenPlace } from "./workers/data_plane.ts";
import { openDataPlane } from "./workers/open_data_plane.ts";

/** See the header. */
export interface ProxyParts {
  /** Bound, unless this process takes over; it has accepted no client yet. */
  readonly plane: DataPlane;
  readonly place: ListenPlace;
  /** As many clients, and connections for HTTP, as there are descriptors for. */
  readonly room: FirstRoom;
  readonly clientTls: TlsIdentity | undefined;
  readonly accessLog: AccessLog | undefined;
  readonly processes: Processes;
}

const log = logger("proxy");

/**
 * Makes them.
 *
 * @param onPause Called when the process was paused for so long that its table may be old.
 * @throws {Error} When a file cannot be used, an address cannot be bound, or the process cannot take over; nothing
 * is left behind then.
 */
export async function openParts(start: ProxyStart, onPause: () => void): Promise<ProxyParts> {
  const { config } = start;
  await using undo = new AsyncDisposableStack();
  const room = firstThatFit(start);
  if (!room.isWide) await start.attach?.load();
  const { users, source } = await readUsers(config);
  const tls = await readClientTls(config);
  const accessLog = AccessLog.open(config);
  undo.defer(() => accessLog?.close());
  if (isTracing()) {
    log.info("requests are traced: {sampled}, and slow ones, as OTEL_ variables say", {
      sampled: config.requestSample === 0 ? "none" : `one of ${config.requestSample}`,
    });
  }
  const processes = await findOldProcess(start);
  const { takeOver, life } = processes;
  undo.defer(async () => {
    await takeOver?.stop();
    life.end();
    await takeOver?.coordinator.close();
  });
  const place = takeOver?.place ?? listenPlace(start);
  refuseNoRoomForWorkers(start);
  const plane = await openDataPlane(takeOver === undefined ? place : undefined, start.workers, {
    router: { ...optionsThatFit(config, room, place.sockets), backendTls: start.serverTls },
    users,
    tls,
    keepAliveMs: config.backendPingPeriodMs,
    isRoomy: room.isRoomy,
    pauseMs: gapMs(config),
  }, {
    onPause,
    writeAccessLines: (lines) => accessLog?.write(lines) ?? Promise.resolve(false),
    changeConfig: (order, by) => changeConfig(start.running, order, by),
  });
  plane.users.source = source;
  undo.move();
  return {
    ...{ plane, place, accessLog, processes, room },
    clientTls: tls?.identity,
  };
}
