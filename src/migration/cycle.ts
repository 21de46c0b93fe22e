/**
 * Keys must not move in a cycle: from group to group and back to the first.
 *
 *      A ─ MIGRATE ─► B      A stops until B answers, and B until A does: both stop until a timeout.
 *      A ◄─ MIGRATE ─ B      Nobody is served meanwhile, and it is unclear which server has the keys
 *
 * The same goes for three servers and more. A dashboard is not alone in moving keys: every proxy moves
 * keys of a slot in `migrate`. So what counts is on which routes slots migrate.
 *
 * @module
 */

/** From one group to another. */
export interface GroupRoute {
  readonly from: number;
  readonly to: number;
}

/** The route of one stream, and how fast it may go. */
export interface StreamRoute extends GroupRoute {
  /** Least time between two calls, in milliseconds. */
  readonly delayMs: number;
}

/** Names the route of a stream. */
export function routeKey({ from, to, delayMs }: StreamRoute): string {
  return `${from} ${to} ${delayMs}`;
}

/**
 * The routes by which keys could come back to where `route` begins.
 *
 * @param others Routes on which slots migrate, or may.
 * @returns A path from `route.to` to `route.from`; empty when there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const others = [{ from: 2, to: 3 }, { from: 3, to: 1 }, { from: 4, to: 1 }];
 * assertEquals(routeBack({ from: 1, to: 2 }, others), [{ from: 2, to: 3 }, { from: 3, to: 1 }]);
 * assertEquals(routeBack({ from: 1, to: 4 }, [{ from: 1, to: 4 }]), []);
 * ```
 */
export function routeBack(route: GroupRoute, others: readonly GroupRoute[]): readonly GroupRoute[] {
  const pathTo = new Map<number, readonly GroupRoute[]>([[route.to, []]]);
  for (const [group, path] of pathTo) {
    if (group === route.from) return path;
    for (const step of others) {
      // Entries that are added while a map is iterated are visited, too.
      if (step.from === group && !pathTo.has(step.to)) pathTo.set(step.to, [...path, step]);
    }
  }
  return [];
}

/** Whether two routes are between the same groups. */
export function isSameRoute(a: GroupRoute, b: GroupRoute): boolean {
  return a.from === b.from && a.to === b.to;
}
