/**
 * Keys must not go round in a circle: from group to group and back to where one of them comes from.
 *
 *      A ─ MIGRATE ─► B      A stops until B answers, B until A does: neither goes on before a deadline,
 *      A ◄─ MIGRATE ─ B      nobody is served meanwhile, and where the keys are is in doubt
 *
 * The same goes for three servers and more. Not only dashboards move keys: of a slot in `migrate` every
 * proxy does, so what counts is in which routes slots are on their route.
 *
 * @module
 */

/** From one group to another. */
export interface Route {
  readonly from: number;
  readonly to: number;
}

/**
 * The routes by which keys could come back to where `route` begins.
 *
 * @param others Directions in which slots are, or may be, on their route.
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
export function routeBack(route: Route, others: readonly Route[]): readonly Route[] {
  const pathTo = new Map<number, readonly Route[]>([[route.to, []]]);
  for (const [group, path] of pathTo) {
    if (group === route.from) return path;
    for (const step of others) {
      // A map hands out what is added while it is gone through.
      if (step.from === group && !pathTo.has(step.to)) pathTo.set(step.to, [...path, step]);
    }
  }
  return [];
}

/** Whether two routes are the same. */
export function isSameRoute(a: Route, b: Route): boolean {
  return a.from === b.from && a.to === b.to;
}
