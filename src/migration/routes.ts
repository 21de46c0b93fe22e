/**
 * Which routes slots may go now, given where others are on their route: decided here, done by migrate_queue.ts.
 *
 * A route may begin when no key could come back by others to where it begins (circle.ts). A slot that is
 * cancelled turns round: it waits until no slot goes the route it came any more but those that turn with
 * it; those that still do come to their end, and no new ones follow them.
 *
 * @module
 */

import { compareSequence } from "../store/sequence.ts";
import { isSameRoute, type Route, routeBack } from "./cycle.ts";
import type { MigrationJob } from "./job.ts";
import type { StreamRoute } from "./stream.ts";

/** What is known of all routes. */
export interface Traffic {
  readonly jobs: readonly MigrationJob[];
  /** Ways on which streams are at work. */
  readonly running: readonly Route[];
  /** Whether something keeps everything that goes a route, at this moment. */
  isKept(route: StreamRoute): boolean;
  /** The monotonic clock, in milliseconds. */
  readonly nowMs: number;
}

/** Names a route. */
export function routeKey({ from, to, delayMs }: StreamRoute): string {
  return `${from} ${to} ${delayMs}`;
}

/** Whether a job goes a route. */
export function isOnRoute(job: MigrationJob, route: StreamRoute): boolean {
  return job.route !== undefined && routeKey(job.route) === routeKey(route);
}

/** The routes that jobs go, those that have begun first. */
export function routesOf(jobs: readonly MigrationJob[]): StreamRoute[] {
  const begun = [...jobs].sort((a, b) => hasStarted(b) - hasStarted(a));
  const routes = begun.flatMap(({ route }) => route === undefined ? [] : [route]);
  return [...new Map(routes.map((route) => [routeKey(route), route])).values()];
}

/** Whether there is anything to do for a stream that begins to go a route. */
export function hasWork(route: StreamRoute, traffic: Traffic): boolean {
  return jobsFor(route, 1, { ...traffic, running: [...traffic.running, route] }).length > 0;
}

/** What a route waits for lest keys go in a circle; empty: nothing. */
export function cycleNoteOf(route: StreamRoute, traffic: Traffic): string {
  // Where slots are on their route already, the best is that they arrive.
  const isUnderway = traffic.jobs.some((job) => isOnRoute(job, route) && isOpen(job));
  const back = routeBack(route, isUnderway ? traffic.running : routesBeside(route, traffic));
  if (back.length === 0) return "";
  const routes = back.map(({ from, to }) => `from group ${from} to ${to}`).join(" and ");
  return `waits for slots on their route ${routes}: servers that give each other keys would stand still`;
}

/**
 * Jobs for a route: those whose slots are on their route first, then all that turn into it, then others in
 * order, as long as something may begin.
 *
 * @param count How many others, at most, with the ones before.
 */
export function jobsFor(route: StreamRoute, count: number, traffic: Traffic): MigrationJob[] {
  const due = traffic.jobs
    .filter((job) => job.isDue(traffic.nowMs) && isOnRoute(job, route))
    .sort((a, b) => hasStarted(b) - hasStarted(a) || compareSequence(a.name, b.name));
  const jobs = due.filter(isOpen);
  if (routeBack(route, routesBeside(route, traffic)).length > 0) return jobs;
  // As long as one of those goes the other route none may come this route: all of them, or none.
  jobs.push(...due.filter(({ isTurning }) => isTurning));
  if (isAwaited(route, traffic)) return jobs;
  const others = due.filter((job) => !jobs.includes(job));
  return [...jobs, ...others.slice(0, Math.max(0, count - jobs.length))];
}

/** Directions in which slots are on their route, but those that can turn into this one now. */
function routesBeside(route: Route, { jobs, running, nowMs }: Traffic): Route[] {
  const routes = [...running];
  for (const job of jobs) {
    const { currentRoute } = job;
    const turns = job.isTurning && isSameRoute(job.route!, route) && job.isDue(nowMs);
    if (currentRoute === undefined || turns) continue;
    if (!routes.some((known) => isSameRoute(known, currentRoute))) routes.push(currentRoute);
  }
  return routes;
}

/** Whether slots that turn round wait for those of this route. */
function isAwaited(route: Route, traffic: Traffic): boolean {
  return traffic.jobs.some((job) =>
    job.isTurning && job.isDue(traffic.nowMs) && !traffic.isKept(job.route!) &&
    routeBack(job.route!, routesBeside(job.route!, traffic))
      .some((step) => isSameRoute(step, route))
  );
}

/** Whether keys of its slot are on their route to where it is to go. */
function isOpen({ route, currentRoute }: MigrationJob): boolean {
  return route !== undefined && currentRoute !== undefined && isSameRoute(route, currentRoute);
}

function hasStarted({ task }: MigrationJob): number {
  return task.status === "pending" ? 0 : 1;
}
