/**
 * Decides which routes slots may take now, given the routes on which others migrate.
 *
 * A route may start when no key could come back to its first group (cycle.ts). A cancelled slot reverses:
 * it waits until the only slots that migrate the way it came are those that reverse with it. The others
 * finish, and no new slots follow them.
 *
 * @module
 */

import { compareSequence } from "../store/sequence.ts";
import { type GroupRoute, isSameRoute, routeBack, routeKey, type StreamRoute } from "./cycle.ts";
import type { MigrationJob } from "./job.ts";

/** All that is known of all routes. */
export interface Traffic {
  readonly jobs: readonly MigrationJob[];
  /** Routes on which streams work. */
  readonly running: readonly GroupRoute[];
  /** Whether a route waits after a failure. */
  isWaiting(route: StreamRoute): boolean;
  /** The monotonic clock, in milliseconds. */
  readonly nowMs: number;
}

/** Whether a job takes a route. */
export function isOnRoute(job: MigrationJob, route: StreamRoute): boolean {
  return job.route !== undefined && routeKey(job.route) === routeKey(route);
}

/** The routes that jobs take, those of jobs that have started first. */
export function routesOf(jobs: readonly MigrationJob[]): StreamRoute[] {
  const sorted = [...jobs].sort((a, b) => hasStarted(b) - hasStarted(a));
  const routes = sorted.flatMap(({ route }) => route === undefined ? [] : [route]);
  return [...new Map(routes.map((route) => [routeKey(route), route])).values()];
}

/** Whether a stream that starts on a route would find a job. */
export function hasWork(route: StreamRoute, traffic: Traffic): boolean {
  return jobsFor(route, 1, { ...traffic, running: [...traffic.running, route] }).length > 0;
}

/** Why a route waits lest keys move in a cycle; empty: it need not. */
export function cycleNoteOf(route: StreamRoute, traffic: Traffic): string {
  // Slots that migrate already had best arrive.
  const isUnderway = traffic.jobs.some((job) => isOnRoute(job, route) && isOpen(job));
  const back = routeBack(route, isUnderway ? traffic.running : routesBeside(route, traffic));
  if (back.length === 0) return "";
  const routes = back.map(({ from, to }) => `from group ${from} to ${to}`).join(" and ");
  return `waits until slots have migrated ${routes}: ` +
    "servers that give keys to each other would block each other";
}

/**
 * Jobs for a route: first those whose slots migrate on it, then all that reverse into it, then others in
 * order, as long as something may start.
 *
 * @param count Most jobs together with the others; the first two kinds come in any case.
 */
export function jobsFor(route: StreamRoute, count: number, traffic: Traffic): MigrationJob[] {
  const due = traffic.jobs
    .filter((job) => job.isDue(traffic.nowMs) && isOnRoute(job, route))
    .sort((a, b) => hasStarted(b) - hasStarted(a) || compareSequence(a.name, b.name));
  const jobs = due.filter(isOpen);
  if (routeBack(route, routesBeside(route, traffic)).length > 0) return jobs;
  // While one of them goes the other way none may come this way: all of them, or none.
  jobs.push(...due.filter(({ isReversing }) => isReversing));
  if (isAwaited(route, traffic)) return jobs;
  const others = due.filter((job) => !jobs.includes(job));
  return [...jobs, ...others.slice(0, Math.max(0, count - jobs.length))];
}

/** Routes on which slots migrate, without those of slots that can reverse into this route now. */
function routesBeside(route: GroupRoute, { jobs, running, nowMs }: Traffic): GroupRoute[] {
  const routes = [...running];
  for (const job of jobs) {
    const { currentRoute } = job;
    const canReverse = job.isReversing && isSameRoute(job.route!, route) && job.isDue(nowMs);
    if (currentRoute === undefined || canReverse) continue;
    if (!routes.some((known) => isSameRoute(known, currentRoute))) routes.push(currentRoute);
  }
  return routes;
}

/** Whether slots that reverse wait for those of this route. */
function isAwaited(route: GroupRoute, traffic: Traffic): boolean {
  return traffic.jobs.some((job) =>
    job.isReversing && job.isDue(traffic.nowMs) && !traffic.isWaiting(job.route!) &&
    routeBack(job.route!, routesBeside(job.route!, traffic))
      .some((step) => isSameRoute(step, route))
  );
}

/** Whether keys of its slot move to where the job wants them. */
function isOpen({ route, currentRoute }: MigrationJob): boolean {
  return route !== undefined && currentRoute !== undefined && isSameRoute(route, currentRoute);
}

function hasStarted({ task }: MigrationJob): number {
  return task.status === "pending" ? 0 : 1;
}
