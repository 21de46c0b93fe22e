/**
 * The record of the users that Redis clients log in as, for all proxies of a product. Codis 2.0 has none.
 *
 * @module
 */

import {
  decodeSecretRecord,
  encodeRecord,
  integer,
  listOf,
  optional,
  recordOf,
  text,
  word,
} from "./record.ts";

/** Where reads of clients may go, as `read_from` in the configuration. */
export const READ_POLICIES = [
  "master",
  "prefer_master",
  "prefer_replica",
  "replica",
  "nearest",
] as const;

/** One of {@linkcode READ_POLICIES}. */
export type ReadPolicy = (typeof READ_POLICIES)[number];

/** What all clients of a user may use at one proxy; 0: as much as they like. */
export interface UserLimits {
  readonly requests_per_second: number;
  /** Of requests and replies. */
  readonly bytes_per_second: number;
  readonly connections: number;
}

/** A user that Redis clients log in as. */
export interface RedisUser {
  readonly name: string;
  /** Its rules as ACL LIST shows them, passwords hashed: `on #5e88… ~users:* &* -@all +@read`. */
  readonly rules: string;
  /** Left out: none. */
  readonly limits: UserLimits | undefined;
  /** Where its clients read from; left out: as each proxy's configuration says. */
  readonly read_from?: ReadPolicy | undefined;
}

/** Longest JSON of all users, in bytes: the entry and its copy in the intent are one transaction. */
export const REDIS_USERS_BYTES_MAX = 256 * 1024;
/** Most users with limits; proxies have room for as many. */
export const LIMITED_REDIS_USERS_MAX = 128;
/** Highest limit. */
export const USER_LIMIT_MAX = 1_000_000_000;

/** The stored form of {@linkcode UserLimits}. */
export const USER_LIMITS_SHAPE = recordOf<UserLimits>({
  requests_per_second: integer,
  bytes_per_second: integer,
  connections: integer,
});

interface Stored {
  readonly users: readonly RedisUser[] | null;
}

const SHAPE = recordOf<Stored>({
  users: listOf(recordOf<RedisUser>({
    name: text,
    rules: text,
    limits: optional(USER_LIMITS_SHAPE),
    read_from: optional(word(READ_POLICIES)),
  })),
});

/** Limits that are none. */
export const NO_LIMITS: UserLimits = {
  requests_per_second: 0,
  bytes_per_second: 0,
  connections: 0,
};

/**
 * Reads the users from their JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeRedisUsers(json: string): readonly RedisUser[] {
  return decodeSecretRecord(SHAPE, json, "the entry redis_users in the store").users ?? [];
}

/** Writes the users' JSON. */
export function encodeRedisUsers(users: readonly RedisUser[]): string {
  return encodeRecord(SHAPE, { users });
}
