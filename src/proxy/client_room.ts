/**
 * As many clients as there are descriptors for. The system takes a tenth of a second to open them all, so one
 * worker counts them in two parts:
 *
 *     the first ──► accept ──► the rest, in steps: each makes room for more clients than can connect meanwhile
 *
 * Where they hardly suffice for the start, nobody is accepted before it is done, and they are counted again then: how
 * many are left for clients and for HTTP, only that tells.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import {
  checkDescriptors,
  countFreeDescriptors,
  countFreeInSteps,
} from "../base/free_descriptors.ts";
import { logger } from "../base/log.ts";
import {
  type DescriptorNeeds,
  type DescriptorPlan,
  descriptorsUsed,
  descriptorsWanted,
  leastToServe,
  leastToStartWorkers,
  planDescriptors,
} from "../io/descriptors.ts";
import type { ProxyStart } from "./proxy_start.ts";

/**
 * Descriptors that are counted before one worker accepts clients: more than can connect before the rest is counted
 * and the program is loaded to the end. Without descriptors Deno cannot load anything, it panics.
 */
const COUNTED_FIRST = 4_096;
/** Descriptors that the process has open from its start on. */
const ALWAYS_OPEN = 64;

const log = logger("proxy");

/** The room for clients, as far as it is known. */
export interface ClientRoom extends Pick<DescriptorPlan, "clients" | "handles" | "serverHandles"> {
  /** Whether all descriptors are counted that are needed. */
  readonly isAll: boolean;
}

/** The room when clients are accepted. */
export interface FirstRoom extends ClientRoom {
  /** Connections for HTTP at one time. */
  readonly httpConnections: number;
  /** Whether the clients that connect first will not take all descriptors. */
  readonly isWide: boolean;
  /** Whether clients that wait to be accepted may have a descriptor, and will not take all of them. */
  readonly isRoomy: boolean;
  /** Whether clients may be accepted before the start is done: it needs descriptors, too. */
  readonly coversStart: boolean;
}

/**
 * As many clients as the configuration asks for and there are descriptors for.
 *
 * @param connected Descriptors that clients have already.
 */
export function clientsThatFit(start: ProxyStart, connected = 0): ClientRoom {
  const needs = needsOf(start);
  const free = countFreeDescriptors(descriptorsUsed(needs));
  return { ...planAll(needs, free + connected), isAll: true };
}

/**
 * Counts what is counted before clients are accepted: all where several workers accept them, unless the start takes
 * most of them.
 */
export function firstThatFit(start: ProxyStart): FirstRoom {
  const needs = needsOf(start);
  const wanted = descriptorsUsed(needs);
  const first = start.workers > 1 ? Math.max(wanted, COUNTED_FIRST) : COUNTED_FIRST;
  const free = countFreeDescriptors(first);
  const { coversStart } = planDescriptors(free, needs);
  const isAll = coversStart && (free < first || first >= wanted);
  const plan = isAll ? planAll(needs, free) : planDescriptors(free, needs);
  const isRoomy = free >= COUNTED_FIRST;
  return { ...plan, isAll, isRoomy, isWide: start.workers === 1 && isRoomy };
}

/**
 * Counts the rest.
 *
 * @param connected How many descriptors clients have.
 * @param found Takes what is known: whenever there is twice the room, and in the end.
 */
export async function restThatFits(
  start: ProxyStart,
  connected: () => Promise<number>,
  found: (room: ClientRoom) => Promise<void>,
): Promise<void> {
  const needs = needsOf(start);
  let next = 2 * COUNTED_FIRST;
  const free = await countFreeInSteps(descriptorsUsed(needs), async (free) => {
    if (free < next) return;
    next = 2 * free;
    await found({ ...planDescriptors(free + await connected(), needs), isAll: false });
  });
  await found({ ...planAll(needs, free + await connected()), isAll: true });
}

/**
 * Checks that a proxy with hardly a descriptor, all of whose parts are open, can serve a client.
 *
 * @throws {Error} When it cannot: it would look like one that runs, and hang.
 */
export function refuseNoRoom(start: ProxyStart): void {
  refuseFewerThan(leastToServe(needsOf(start)), start, "to serve clients takes");
}

/**
 * Checks that the workers of a proxy can be started, before the runtime tries it.
 *
 * @throws {Error} When they cannot: the runtime would end the process without a word of ours.
 */
export function refuseNoRoomForWorkers(start: ProxyStart): void {
  if (start.workers === 1) return;
  const what = `to start ${start.workers} workers takes`;
  refuseFewerThan(leastToStartWorkers(needsOf(start)), start, what);
}

function refuseFewerThan(least: number, { workers }: ProxyStart, whatFor: string): void {
  const advice = workers > 1 ? `fewer than ${workers} workers (--cpu) open fewer` : "";
  checkDescriptors(countFreeDescriptors(least), least, whatFor, advice);
}

function needsOf({ config, workers }: ProxyStart): DescriptorNeeds {
  return { clients: config.maxClients, workers, servers: config.servers.length };
}

/** All are counted: says so when they are too few. */
function planAll(needs: DescriptorNeeds, free: number): DescriptorPlan {
  const plan = planDescriptors(free, needs);
  const { clients, kept } = plan;
  if (clients < needs.clients) {
    log.warn(
      "max_clients is {wanted}, but only {free} can be opened (ulimit -n), and {kept} of " +
        "them are kept for servers, coordinator, log and HTTP: at most {clients} can be " +
        'served; "ulimit -n {limit}" is enough for all',
      {
        wanted: needs.clients,
        free: countOf(free, "more file"),
        kept,
        clients: countOf(clients, "client"),
        limit: descriptorsWanted(needs) + ALWAYS_OPEN,
      },
    );
  }
  return plan;
}
