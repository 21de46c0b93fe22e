/**
 * The record of the dashboard's users. Codis 2.0 has none.
 *
 * @module
 */

import {
  decodeSecretRecord,
  encodeRecord,
  integer,
  listOf,
  recordOf,
  text,
  word,
} from "./record.ts";

/** What people and programs may do with the dashboard; each role may do what those before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;

/** One of {@linkcode ROLES}. */
export type Role = (typeof ROLES)[number];

/** Somebody who logs in at the dashboard. */
export interface DashboardUser {
  readonly name: string;
  readonly role: Role;
  /** How the password is checked; see `base/password_hash.ts`. */
  readonly password: string;
  /** Unix milliseconds. */
  readonly created_at: number;
  readonly changed_at: number;
}

/** How the audit log calls those who are no users: no user may be called so. */
export const NO_USER = { configToken: "dashboard_token", anybody: "anybody" } as const;

/** Most users that a product may have. */
export const DASHBOARD_USERS_MAX = 256;

interface Stored {
  readonly users: readonly DashboardUser[] | null;
}

const SHAPE = recordOf<Stored>({
  users: listOf(recordOf<DashboardUser>({
    name: text,
    role: word(ROLES),
    password: text,
    created_at: integer,
    changed_at: integer,
  })),
});

/**
 * Reads the users from their JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeDashboardUsers(json: string): readonly DashboardUser[] {
  return decodeSecretRecord(SHAPE, json, "dashboard users").users ?? [];
}

/** Writes the users' JSON. */
export function encodeDashboardUsers(users: readonly DashboardUser[]): string {
  return encodeRecord(SHAPE, { users });
}

/** The rule for names of users and API tokens, for messages. */
export const ACCESS_NAME_RULE =
  "1 to 64 letters, digits and . _ @ -, beginning with a letter or a digit";

/** Whether a text can name a user or an API token. */
export function isAccessName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(name);
}

/** Whether one role may do what needs another one. */
export function isRoleEnough(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
