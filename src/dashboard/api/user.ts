/**
 * Routes of the dashboard's users.
 *
 * @module
 */

import { scryptPassword } from "../../base/password_hash.ts";
import { addUser, removeUser, setUser } from "../../control/dashboard_users.ts";
import { InputError } from "../../control/errors.ts";
import { ACCESS_NAME_RULE, isAccessName, ROLES } from "../../model/dashboard_user.ts";
import { loadDashboardUsers } from "../../store/dashboard_users.ts";
import { type Body, onlyFields, readBody, wordIn } from "../input.ts";
import { type ApiRoute, change, read } from "./route.ts";

/** Shortest and longest password, in characters. */
const PASSWORD_MIN = 8;
const PASSWORD_MAX = 256;

/** See the header. */
export const USER_ROUTES: readonly ApiRoute[] = [
  read("/api/users", async ({ dashboard }) => {
    const users = await loadDashboardUsers(dashboard.store);
    return users.map(({ password: _, ...shown }) => shown);
  }, "admin"),
  change("POST", "/api/users", async ({ dashboard, request }) => {
    const body = onlyFields(await readBody(request), "name", "role", "password");
    const name = accessNameIn(body["name"]);
    const role = wordIn(body, "role", ROLES);
    const password = await scryptPassword(passwordIn(body));
    await dashboard.changeAccess((access) => addUser(access, { name, role, password }));
  }, "admin"),
  change("PUT", "/api/users/:name", async ({ dashboard, request, words }) => {
    const body = onlyFields(await readBody(request), "role", "password");
    if (body["role"] === undefined && body["password"] === undefined) {
      throw new InputError("role", "given, or password", undefined);
    }
    const name = accessNameIn(words.name);
    const role = body["role"] === undefined ? undefined : wordIn(body, "role", ROLES);
    const password = body["password"] === undefined
      ? undefined
      : await scryptPassword(passwordIn(body));
    await dashboard.changeAccess((access) => setUser(access, name, { role, password }));
  }, "admin"),
  change("DELETE", "/api/users/:name", async ({ dashboard, words }) => {
    await dashboard.changeAccess((access) => removeUser(access, accessNameIn(words.name)));
  }, "admin"),
];

/**
 * The name of a user or of a token.
 *
 * @throws {InputError} When it breaks the rule of names.
 */
export function accessNameIn(value: unknown): string {
  if (typeof value === "string" && isAccessName(value)) return value;
  throw new InputError("name", ACCESS_NAME_RULE, value);
}

/**
 * The new password of the body, which no message shows.
 *
 * @throws {InputError} When it is too short or too long.
 */
export function passwordIn({ password }: Body): string {
  const length = typeof password === "string" ? [...password].length : 0;
  if (length >= PASSWORD_MIN && length <= PASSWORD_MAX) return password as string;
  const rule = `a text of ${PASSWORD_MIN} to ${PASSWORD_MAX} characters`;
  throw new InputError("password", rule, length);
}
