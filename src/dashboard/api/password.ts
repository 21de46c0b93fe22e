/**
 * The route by which a user changes his own password.
 *
 * @module
 */

import { scryptPassword } from "../../base/password_hash.ts";
import { setUser } from "../../control/dashboard_users.ts";
import { InputError } from "../../control/errors.ts";
import { sessionCookie } from "../access/sessions.ts";
import { onlyFields, readBody } from "../input.ts";
import { type ApiRoute, type Call, change } from "./route.ts";
import { passwordIn } from "./user.ts";

/** See the header. */
export const PASSWORD_ROUTES: readonly ApiRoute[] = [
  change("POST", "/api/password", changeOwn, "viewer"),
];

async function changeOwn(call: Call): Promise<unknown> {
  const { dashboard, request, who, answerHeaders } = call;
  const body = onlyFields(await readBody(request), "old_password", "password");
  if (who.kind !== "user") return { status: 403, error: `${who.name} has no password` };
  const old = body["old_password"];
  if (typeof old !== "string") throw new InputError("old_password", "a text", undefined);
  const password = passwordIn(body);
  const user = await dashboard.access.logIn(call, who.name, old);
  if ("status" in user) {
    // 401 would say that he is not logged in.
    return user.status === 401 ? { status: 403, error: WRONG_OLD } : user;
  }
  const hash = await scryptPassword(password);
  await dashboard.changeAccess((access) =>
    setUser(access, who.name, { role: undefined, password: hash })
  );
  // All of his sessions have ended; he goes on with a new one.
  const changed = dashboard.access.records.user(who.name);
  if (changed !== undefined) {
    const id = dashboard.access.sessions.begin(changed);
    answerHeaders.set("set-cookie", sessionCookie(request, id));
  }
  return undefined;
}

const WRONG_OLD = "the old password is wrong";
