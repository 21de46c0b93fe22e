/**
 * Routes of logging in on the page.
 *
 * @module
 */

import { sessionCookie } from "../access/sessions.ts";
import { onlyFields, readBody } from "../input.ts";
import { type ApiRoute, type Call, change } from "./route.ts";

/** See the header. */
export const LOGIN_ROUTES: readonly ApiRoute[] = [
  // Finds out whether the token that is sent is a good one; changes nothing.
  change("POST", "/api/login", () => Promise.resolve(), "viewer"),
  change("POST", "/api/login/user", logIn, "anyone"),
];

async function logIn(call: Call): Promise<unknown> {
  const { dashboard, request, note, answerHeaders } = call;
  const body = onlyFields(await readBody(request), "user", "password");
  const [name, password] = [body["user"], body["password"]].map((value) =>
    typeof value === "string" ? value : ""
  ) as [string, string];
  // A name that nobody has may be a password in the wrong field.
  const isKnown = dashboard.access.records.user(name) !== undefined;
  note.arguments = isKnown ? `user=${name}` : "an unknown user";
  const user = await dashboard.access.logIn(call, name, password);
  if ("status" in user) return user;
  note.who = user.name;
  answerHeaders.set("set-cookie", sessionCookie(request, dashboard.access.sessions.begin(user)));
  return { msg: "OK", ret: 0, name: user.name, role: user.role };
}
