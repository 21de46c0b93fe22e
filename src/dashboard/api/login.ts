/**
 * The route that checks a token and changes nothing, for the page.
 *
 * @module
 */

import { type ApiRoute, change } from "./route.ts";

/** See the header. */
export const LOGIN_ROUTES: readonly ApiRoute[] = [
  change("POST", "/api/login", () => Promise.resolve()),
];
