/**
 * Decides whether one thread serves the clients, or several.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { canSharePort } from "../../io/listen.ts";
import type { DataPlane, ListenPlace, PlaneEvents, PlaneOptions } from "./data_plane.ts";
import { LocalPlane } from "./local_plane.ts";
import { WorkerPool } from "./worker_pool.ts";

/**
 * Makes a data plane of so many workers; of one, in this thread, where they could not share the port.
 *
 * @param place What it binds; undefined: nothing, it is bound later.
 * @throws {Error} Naming the address, when it cannot be bound.
 */
export async function openDataPlane(
  place: ListenPlace | undefined,
  workers: number,
  options: PlaneOptions,
  events: PlaneEvents,
): Promise<DataPlane> {
  if (workers > 1) {
    if (canSharePort()) return await WorkerPool.open(place, { ...options, workers }, events);
    logger("proxy").warn(
      "workers cannot share a port on this system: one serves, not {workers}",
      {
        workers,
      },
    );
  }
  const plane = new LocalPlane(options, events);
  try {
    if (place !== undefined) plane.bind(place);
  } catch (error) {
    plane.close();
    throw error;
  }
  return plane;
}
