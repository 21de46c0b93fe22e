/**
 * Which ways slots may go now, given where others are on their way: decided here, done by migrate_queue.ts.
 *
 * A way may begin when no key could come back by others to where it begins (circle.ts). A slot that is
 * cancelled turns round: it waits until no slot goes the way it came any more but those that turn with
 * it; those that still do come to their end, and no new ones follow them.
 *
 * @module
 */

import { compareSequence } from "../store/sequence.ts";
import { type Direction, isSameDirection, wayBack } from "./cycle.ts";
import type { MigrateJob } from "./job.ts";
import type { StreamWay } from "./stream.ts";

/** What is known of all ways. */
export interface Traffic {
  readonly jobs: readonly MigrateJob[];
  /** Ways on which streams are at work. */
  readonly running: readonly Direction[];
  /** Whether something keeps everything that goes a way, at this moment. */
  isKept(way: StreamWay): boolean;
  /** The monotonic clock, in milliseconds. */
  readonly nowMs: number;
}

/** Names a way. */
export function keyOf({ from, to, delayMs }: StreamWay): string {
  return `${from} ${to} ${delayMs}`;
}

/** Whether a job goes a way. */
export function isOnWay(job: MigrateJob, way: StreamWay): boolean {
  return job.way !== undefined && keyOf(job.way) === keyOf(way);
}

/** The ways that jobs go, those that have begun first. */
export function waysOf(jobs: readonly MigrateJob[]): StreamWay[] {
  const begun = [...jobs].sort((a, b) => hasBegun(b) - hasBegun(a));
  const ways = begun.flatMap(({ way }) => way === undefined ? [] : [way]);
  return [...new Map(ways.map((way) => [keyOf(way), way])).values()];
}

/** Whether there is anything to do for a stream that begins to go a way. */
export function isOfUse(way: StreamWay, traffic: Traffic): boolean {
  return jobsFor(way, 1, { ...traffic, running: [...traffic.running, way] }).length > 0;
}

/** What a way waits for lest keys go in a circle; empty: nothing. */
export function circleOf(way: StreamWay, traffic: Traffic): string {
  // Where slots are on their way already, the best is that they arrive.
  const isUnderway = traffic.jobs.some((job) => isOnWay(job, way) && isOpen(job));
  const back = wayBack(way, isUnderway ? traffic.running : directionsBeside(way, traffic));
  if (back.length === 0) return "";
  const ways = back.map(({ from, to }) => `from group ${from} to ${to}`).join(" and ");
  return `waits for slots on their way ${ways}: servers that give each other keys would stand still`;
}

/**
 * Jobs for a way: those whose slots are on their way first, then all that turn into it, then others in
 * order, as long as something may begin.
 *
 * @param count How many others, at most, with the ones before.
 */
export function jobsFor(way: StreamWay, count: number, traffic: Traffic): MigrateJob[] {
  const due = traffic.jobs
    .filter((job) => job.isDue(traffic.nowMs) && isOnWay(job, way))
    .sort((a, b) => hasBegun(b) - hasBegun(a) || compareSequence(a.name, b.name));
  const jobs = due.filter(isOpen);
  if (wayBack(way, directionsBeside(way, traffic)).length > 0) return jobs;
  // As long as one of those goes the other way none may come this way: all of them, or none.
  jobs.push(...due.filter(({ isTurning }) => isTurning));
  if (isAwaited(way, traffic)) return jobs;
  const others = due.filter((job) => !jobs.includes(job));
  return [...jobs, ...others.slice(0, Math.max(0, count - jobs.length))];
}

/** Directions in which slots are on their way, but those that can turn into this one now. */
function directionsBeside(way: Direction, { jobs, running, nowMs }: Traffic): Direction[] {
  const directions = [...running];
  for (const job of jobs) {
    const { direction } = job;
    const turns = job.isTurning && isSameDirection(job.way!, way) && job.isDue(nowMs);
    if (direction === undefined || turns) continue;
    if (!directions.some((known) => isSameDirection(known, direction))) directions.push(direction);
  }
  return directions;
}

/** Whether slots that turn round wait for those of this way. */
function isAwaited(way: Direction, traffic: Traffic): boolean {
  return traffic.jobs.some((job) =>
    job.isTurning && job.isDue(traffic.nowMs) && !traffic.isKept(job.way!) &&
    wayBack(job.way!, directionsBeside(job.way!, traffic))
      .some((step) => isSameDirection(step, way))
  );
}

/** Whether keys of its slot are on their way to where it is to go. */
function isOpen({ way, direction }: MigrateJob): boolean {
  return way !== undefined && direction !== undefined && isSameDirection(way, direction);
}

function hasBegun({ task }: MigrateJob): number {
  return task.status === "pending" ? 0 : 1;
}
