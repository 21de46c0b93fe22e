/**
 * Operations on the dashboard's users.
 *
 * @module
 */

import {
  DASHBOARD_USERS_MAX,
  type DashboardUser,
  encodeDashboardUsers,
  NO_USER,
  type Role,
} from "../model/dashboard_user.ts";
import { loadApiTokens } from "../store/api_tokens.ts";
import { loadDashboardUsers } from "../store/dashboard_users.ts";
import { withLock } from "../store/lock.ts";
import { StoreError } from "../store/store.ts";
import { checkAnAdminStays } from "./access_rules.ts";
import type { Control } from "./control.ts";

/** What operations on users and tokens work with. */
export interface AccessControl {
  readonly control: Control;
  /** Whether `dashboard_token` is set. */
  readonly hasConfigToken: boolean;
}

/**
 * Makes a user.
 *
 * @param password Hashed.
 * @throws {StoreError} When there is one of the name, there are too many, or nobody would be admin.
 */
export function addUser(
  access: AccessControl,
  user: { readonly name: string; readonly role: Role; readonly password: string },
): Promise<void> {
  const now = Date.now();
  return edit(access, user.name, `user ${user.name} added, ${user.role}`, (others, old) => {
    if (Object.values<string>(NO_USER).includes(user.name)) {
      throw new StoreError(
        `the audit log calls somebody else ${user.name}: choose another name for the user`,
      );
    }
    if (old !== undefined) throw new StoreError(`there is a user ${user.name} already`);
    if (others.length >= DASHBOARD_USERS_MAX) {
      throw new StoreError(`there are ${DASHBOARD_USERS_MAX} users already: remove one first`);
    }
    return [...others, { ...user, created_at: now, changed_at: now }];
  });
}

/**
 * Changes a user's role, password or both; his sessions end.
 *
 * @param change `password` is hashed; what is undefined stays.
 * @throws {StoreError} When there is none of the name, or nobody would be admin.
 */
export function setUser(
  access: AccessControl,
  name: string,
  change: { readonly role: Role | undefined; readonly password: string | undefined },
): Promise<void> {
  return edit(access, name, `user ${name} changed`, (others, old) => {
    const user = found(old, name);
    const role = change.role ?? user.role;
    const password = change.password ?? user.password;
    return [...others, { ...user, role, password, changed_at: Date.now() }];
  });
}

/**
 * Removes a user; his sessions end.
 *
 * @throws {StoreError} When there is none of the name, or nobody would be admin.
 */
export function removeUser(access: AccessControl, name: string): Promise<void> {
  return edit(access, name, `user ${name} removed`, (others, old) => {
    found(old, name);
    return others;
  });
}

function found(user: DashboardUser | undefined, name: string): DashboardUser {
  if (user === undefined) throw new StoreError(`there is no user ${name}`);
  return user;
}

function edit(
  { control, hasConfigToken }: AccessControl,
  name: string,
  summary: string,
  body: (
    others: readonly DashboardUser[],
    old: DashboardUser | undefined,
  ) => readonly DashboardUser[],
): Promise<void> {
  const { store } = control;
  return withLock(store, summary, async () => {
    const users = await loadDashboardUsers(store);
    const others = users.filter((user) => user.name !== name);
    const next = body(others, users.find((user) => user.name === name));
    checkAnAdminStays(next, await loadApiTokens(store), hasConfigToken);
    const sorted = next.toSorted((a, b) => a.name < b.name ? -1 : 1);
    const writes = [{ path: store.paths.dashboardUsers, data: encodeDashboardUsers(sorted) }];
    await control.change({ summary, writes, announcements: [] });
  });
}
