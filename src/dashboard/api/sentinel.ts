/**
 * Routes of the sentinels that watch the masters.
 *
 * @module
 */

import { addrIn, flagIn, onlyFields, readBody, readOptionalBody } from "../input.ts";
import { type ApiRoute, change, readMonitored } from "./route.ts";

/** See the header. */
export const SENTINEL_ROUTES: readonly ApiRoute[] = [
  // deno-lint-ignore require-await -- a route resolves
  readMonitored("/api/sentinels", async ({ dashboard }) => dashboard.sentinels.view()),
  change("POST", "/api/sentinels", async ({ dashboard, request }) => {
    const body = onlyFields(await readBody(request), "addr");
    await dashboard.sentinels.add(addrIn(body, "addr"));
  }, "admin"),
  change("DELETE", "/api/sentinels/:addr", async ({ dashboard, request, words }) => {
    const body = onlyFields(await readOptionalBody(request), "force");
    await dashboard.sentinels.remove(addrIn({ addr: words.addr }, "addr"), flagIn(body, "force"));
  }, "admin"),
  change("POST", "/api/sentinels/resync", async ({ dashboard }) => {
    await dashboard.sentinels.resync();
  }),
];
