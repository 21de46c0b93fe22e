/**
 * Operations on the users that Redis clients log in as, for all proxies of the product.
 *
 *     rules checked as by ACL SETUSER ─► stored ─► every proxy has put them in force ─► done
 *                                                     └─ one has not ─► an error that names it
 *
 * A change is made also while a proxy is away: rights that are withdrawn must be withdrawn everywhere else.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { recordsOfTexts, textOfRecord, type UserText } from "../acl/stored_users.ts";
import { readAclFile } from "../acl/acl_file.ts";
import { DEFAULT_USER, type UserRecord } from "../acl/user.ts";
import { bytesOfText, textOfBytes, Users } from "../acl/users.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { RecordError } from "../model/record.ts";
import {
  encodeRedisUsers,
  LIMITED_REDIS_USERS_MAX,
  type ReadPolicy,
  REDIS_USERS_BYTES_MAX,
  type RedisUser,
  type UserLimits,
} from "../model/redis_user.ts";
import { withLock } from "../store/lock.ts";
import { loadProxies } from "../store/proxies.ts";
import { loadRedisUsers } from "../store/redis_users.ts";
import { StoreError } from "../store/store.ts";
import type { Control } from "./control.ts";
import { UnconfirmedError } from "./errors.ts";

/** What operations on users work with. */
export interface RedisUsersContext {
  readonly control: Control;
  /** Where a proxy's users come from; `none`: it knows nothing of these; undefined: not known yet. */
  usersOf(proxy: ProxyRecord): "file" | "store" | "none" | undefined;
}

/** How long a proxy that has just started may take to answer, in milliseconds; how often that is looked at. */
const ANSWER_MS = 3_000;
const ASK_MS = 100;

/** Users before a change, and after it. */
type Edit = (users: readonly RedisUser[]) => readonly RedisUser[];

/**
 * Makes a user, or adds rules to one, as ACL SETUSER.
 *
 * @param words Rules, such as `+@read`. Passwords should be hashed already.
 * @throws {StoreError} When a rule is wrong, or there would be too many users: nothing was changed.
 * @throws {UnconfirmedError} Naming proxies in which the change may not be in force.
 */
export function setRedisUser(
  context: RedisUsersContext,
  name: string,
  words: readonly string[],
): Promise<void> {
  return edit(context, `Redis user ${name} changed`, (users) => {
    const known = users.find((user) => user.name === name);
    const isNewDefault = name === DEFAULT_USER && known === undefined;
    const current = new Users([""]);
    if (known !== undefined) current.update({ ...NOTHING, changed: recordsOfTexts([known]) });
    const [bytes, rules] = [bytesOfText(name), words.map(bytesOfText)];
    // What password it has at the proxies is not known here, and it must not become everybody's.
    const record = current.planned(bytes, isNewDefault ? ["resetpass", ...rules] : rules);
    if (typeof record === "string") throw new StoreError(textOfBytes(record));
    if (isNewDefault) checkLogin(record);
    const changed = { ...textOf(record), limits: known?.limits, read_from: known?.read_from };
    return [...users.filter((user) => user !== known), changed];
  });
}

/**
 * Deletes users.
 *
 * @throws {StoreError} When one of them is not there, or is the default user: nothing was changed.
 * @throws {UnconfirmedError} As {@linkcode setRedisUser}.
 */
export function deleteRedisUsers(
  context: RedisUsersContext,
  names: readonly string[],
): Promise<void> {
  return edit(context, `Redis user ${names.join(", ")} deleted`, (users) => {
    if (names.includes(DEFAULT_USER)) throw new StoreError("The 'default' user cannot be removed");
    const missing = names.find((name) => !users.some((user) => user.name === name));
    if (missing !== undefined) throw new StoreError(`there is no Redis user ${missing}`);
    return users.filter(({ name }) => !names.includes(name));
  });
}

/**
 * Takes users over from an ACL file: those of the same names are replaced, others stay. It also puts right what
 * cannot be read in the store: then there are no others.
 *
 * @returns The names of the users in the file.
 * @throws {StoreError} Naming everything that is wrong with it: nothing was changed.
 * @throws {UnconfirmedError} As {@linkcode setRedisUser}.
 */
export async function importRedisUsers(
  context: RedisUsersContext,
  text: string,
  file: string,
): Promise<readonly string[]> {
  const { users: records, errors } = readAclFile(bytesOfText(text), file);
  if (errors.length > 0) throw new StoreError(textOfBytes(errors.join("").trim()));
  if (records.length === 0) throw new StoreError(`there is no user in ${file}`);
  const imported = records.map(textOf);
  const names = imported.map(({ name }) => name);
  const summary = `Redis users imported: ${names.join(", ")}`;
  await edit(context, summary, (users) => [
    ...users.filter(({ name }) => !names.includes(name)),
    ...imported.map((user) => {
      const known = users.find(({ name }) => name === user.name);
      return { ...user, limits: known?.limits, read_from: known?.read_from };
    }),
  ], (error) => {
    if (names.includes(DEFAULT_USER)) return [];
    throw new StoreError(`${error.message}: ${file} must have all users, and has no default`);
  });
  return names;
}

/**
 * Limits what a user may use at each proxy.
 *
 * @throws {StoreError} When there is no such user: nothing was changed.
 * @throws {UnconfirmedError} As {@linkcode setRedisUser}.
 */
export function limitRedisUser(
  context: RedisUsersContext,
  name: string,
  limits: UserLimits,
): Promise<void> {
  return edit(context, `limits of Redis user ${name} changed`, (users) => {
    checkThere(users, name);
    const limited = users.filter((user) => user.limits !== undefined && user.name !== name);
    if (limited.length >= LIMITED_REDIS_USERS_MAX) {
      throw new StoreError(`at most ${LIMITED_REDIS_USERS_MAX} users may have limits`);
    }
    const isNone = Object.values(limits).every((limit) => limit === 0);
    return users.map((user) =>
      user.name === name ? { ...user, limits: isNone ? undefined : limits } : user
    );
  });
}

/**
 * Says where the clients of a user read from at each proxy.
 *
 * @param policy Undefined: as each proxy's configuration says.
 * @throws {StoreError} When there is no such user: nothing was changed.
 * @throws {UnconfirmedError} As {@linkcode setRedisUser}.
 */
export function setReadsOfRedisUser(
  context: RedisUsersContext,
  name: string,
  policy: ReadPolicy | undefined,
): Promise<void> {
  return edit(context, `reads of Redis user ${name} changed`, (users) => {
    checkThere(users, name);
    return users.map((user) => (user.name === name ? { ...user, read_from: policy } : user));
  });
}

/** The proxies that use other users than those in the store. */
export async function proxiesWithOtherUsers(context: RedisUsersContext): Promise<string[]> {
  const proxies = await loadProxies(context.control.store);
  return proxies.filter((proxy) => ["file", "none"].includes(context.usersOf(proxy) ?? ""))
    .map(({ id }) => id);
}

// -- how they are changed --------------------------------------------------------------------

const NOTHING = { changed: [], deleted: [], isReload: false, by: 0 };

/** @param damaged Which users count when those in the store cannot be read; left out: none can be changed. */
async function edit(
  context: RedisUsersContext,
  summary: string,
  body: Edit,
  damaged?: (error: RecordError) => readonly RedisUser[],
): Promise<void> {
  const { control } = context;
  const { store } = control;
  await withLock(store, summary, async () => {
    const users = await loadRedisUsers(store).catch((error) => {
      if (damaged === undefined || !(error instanceof RecordError)) throw error;
      return damaged(error);
    });
    const next = body(users).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const data = encodeRedisUsers(next);
    if (new TextEncoder().encode(data).length > REDIS_USERS_BYTES_MAX) {
      throw new StoreError(
        `all Redis users together may have ${
          REDIS_USERS_BYTES_MAX / 1024
        } KB in the store: delete some first`,
      );
    }
    await checkKnown(context);
    const names = changedNames(users, next);
    try {
      await control.change({
        summary,
        writes: [{ path: store.paths.redisUsers, data }],
        announcements: [{ type: "redis_users", target: { names }, mustConfirm: true }],
        mayMiss: true,
      });
    } catch (error) {
      if (!(error instanceof UnconfirmedError)) throw error;
      throw new UnconfirmedError(
        `${summary}, and in force at all other proxies; ${error.message}`,
        { cause: error },
      );
    }
  });
}

function checkThere(users: readonly RedisUser[], name: string): void {
  if (users.some((user) => user.name === name)) return;
  throw new StoreError(`there is no Redis user ${name} in the store: make it first`);
}

function changedNames(before: readonly RedisUser[], after: readonly RedisUser[]): string[] {
  const changed = after.filter((user) => !before.includes(user));
  const gone = before.filter((user) => !after.some(({ name }) => name === user.name));
  return [...changed, ...gone].map(({ name }) => name);
}

/** A proxy of Codis ends itself when it sees an action that it does not know. */
async function checkKnown({ control, usersOf }: RedisUsersContext): Promise<void> {
  const proxies = await loadProxies(control.store);
  const endMs = performance.now() + ANSWER_MS;
  // One that has just started is about to be asked.
  while (proxies.some((proxy) => usersOf(proxy) === undefined) && performance.now() < endMs) {
    await delay(ASK_MS);
  }
  for (const proxy of proxies) {
    const from = usersOf(proxy);
    if (from === "file" || from === "store") continue;
    throw new StoreError(
      from === "none"
        ? `proxy ${proxy.id} at ${proxy.addr} is a proxy of Codis, or too old to know users in the ` +
          "store: replace it first"
        : `proxy ${proxy.id} at ${proxy.addr} has not answered yet, so it is not known whether it knows ` +
          "users in the store: try again, or end it",
    );
  }
}

/** What the default user lets in must be said: before, `password` of each proxy did. */
function checkLogin({ flags, passwords }: UserRecord): void {
  if (passwords.length > 0 || flags.includes("nopass") || flags.includes("off")) return;
  throw new StoreError(
    "the user default is not in the store yet, until now it has the password of each proxy's " +
      "config.ini: say how it logs in, with >password, nopass or off",
  );
}

function textOf(record: UserRecord): UserText {
  try {
    return textOfRecord(record);
  } catch (error) {
    throw new StoreError((error as Error).message, { cause: error });
  }
}
