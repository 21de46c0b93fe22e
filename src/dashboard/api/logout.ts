/**
 * The route that ends the session of the page.
 *
 * @module
 */

import { sessionCookie, sessionIdIn } from "../access/sessions.ts";
import { type ApiRoute, change } from "./route.ts";

/** See the header. */
export const LOGOUT_ROUTES: readonly ApiRoute[] = [
  change("POST", "/api/logout", ({ dashboard, request, answerHeaders, note }) => {
    note.who = dashboard.access.sessionUser(request)?.name ?? "nobody";
    dashboard.access.sessions.end(sessionIdIn(request));
    answerHeaders.set("set-cookie", sessionCookie(request, ""));
    return Promise.resolve();
  }, "anyone"),
];
