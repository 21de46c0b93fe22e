/**
 * Routes of the users that Redis clients log in as.
 *
 * @module
 */

import { describeUser, hashedRules } from "../../acl/stored_users.ts";
import { bytesOfText } from "../../acl/users.ts";
import { InputError } from "../../control/errors.ts";
import {
  deleteRedisUsers,
  importRedisUsers,
  limitRedisUser,
  proxiesWithOtherUsers,
  setReadsOfRedisUser,
  setRedisUser,
} from "../../control/redis_users.ts";
import {
  NO_LIMITS,
  READ_POLICIES,
  REDIS_USERS_BYTES_MAX,
  USER_LIMIT_MAX,
  type UserLimits,
} from "../../model/redis_user.ts";
import { loadRedisUsers } from "../../store/redis_users.ts";
import { ruleWithoutPassword } from "../audit/audit_note.ts";
import { type Body, integerIn, onlyFields, readBody, wordIn } from "../input.ts";
import { type ApiRoute, change, read } from "./route.ts";

/** Most names or rules of a request. */
const TEXTS_MAX = 10_000;

/** See the header. */
export const REDIS_USER_ROUTES: readonly ApiRoute[] = [
  read("/api/redis_users", async ({ dashboard }) => {
    const users = await loadRedisUsers(dashboard.store);
    return {
      users: users.map((user) => ({
        name: user.name,
        ...describeUser(user),
        limits: user.limits ?? NO_LIMITS,
        read_from: user.read_from,
      })),
      other_proxies: await proxiesWithOtherUsers(dashboard.redisUsersContext),
    };
  }, "admin"),
  change("PUT", "/api/redis_users/:name", async ({ dashboard, request, words, note }) => {
    const body = onlyFields(await readBody(request), "rules", "password");
    const rules = [...textsIn(body, "rules", "a list of ACL rules"), ...passwordIn(body)];
    note.arguments = `rules=${rules.map(ruleWithoutPassword).join(" ")}`;
    await setRedisUser(dashboard.redisUsersContext, words.name, rules);
  }, "admin"),
  change("PUT", "/api/redis_users/:name/limits", async ({ dashboard, request, words }) => {
    const body = onlyFields(await readBody(request), ...Object.keys(NO_LIMITS));
    await limitRedisUser(dashboard.redisUsersContext, words.name, limitsIn(body));
  }, "admin"),
  change("PUT", "/api/redis_users/:name/read_from", async ({ dashboard, request, words }) => {
    const body = onlyFields(await readBody(request), "read_from");
    const policy = body["read_from"] === "" ? undefined : wordIn(body, "read_from", READ_POLICIES);
    await setReadsOfRedisUser(dashboard.redisUsersContext, words.name, policy);
  }, "admin"),
  change("POST", "/api/redis_users/delete", async ({ dashboard, request }) => {
    const body = onlyFields(await readBody(request), "names");
    const names = textsIn(body, "names", "a list of names of users");
    await deleteRedisUsers(dashboard.redisUsersContext, names);
  }, "admin"),
  change("POST", "/api/redis_users/import", async ({ dashboard, request, note }) => {
    const body = onlyFields(await readBody(request, 2 * REDIS_USERS_BYTES_MAX), "text", "file");
    const { text, file } = body;
    if (typeof text !== "string") throw new InputError("text", "the text of an ACL file", text);
    if (typeof file !== "string") throw new InputError("file", "the name of the file", file);
    note.arguments = `file=${file}`;
    const names = await importRedisUsers(dashboard.redisUsersContext, text, file);
    return { msg: "OK", ret: 0, names };
  }, "admin"),
];

function textsIn(body: Body, field: string, wanted: string): readonly string[] {
  const value = body[field];
  const isList = Array.isArray(value) && value.length <= TEXTS_MAX &&
    value.every((text) => typeof text === "string");
  if (isList) return value;
  throw new InputError(field, wanted, value === undefined ? undefined : typeof value);
}

/** The rules that make a password the only one. */
function passwordIn({ password }: Body): readonly string[] {
  if (password === undefined) return [];
  if (typeof password !== "string" || password === "") {
    throw new InputError("password", "a text that is not empty", typeof password);
  }
  return ["resetpass", ...hashedRules([`>${bytesOfText(password)}`])];
}

function limitsIn(body: Body): UserLimits {
  const limit = (field: keyof UserLimits) =>
    body[field] === undefined ? 0 : integerIn(body, field, 0, USER_LIMIT_MAX);
  return {
    requests_per_second: limit("requests_per_second"),
    bytes_per_second: limit("bytes_per_second"),
    connections: limit("connections"),
  };
}
