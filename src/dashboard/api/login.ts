/**
 * The route that checks a token and changes nothing, for the page.
 *
 * @module
 */

import { change, type Route } from "./route.ts";

/** See the header. */
export const LOGIN_ROUTES: readonly Route[] = [
  change("POST", "/api/login", () => Promise.resolve()),
];
