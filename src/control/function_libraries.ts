/**
 * Function libraries of Redis servers. They belong to servers, not to slots: a proxy has each master load them, and a
 * master that comes later lacks them until somebody copies them.
 *
 * @module
 */

import type { RedisConnection } from "../redis/connection.ts";
import { RedisError, type RedisValue, replyText } from "../redis/reply.ts";

/** The code of each library of a server, by its name. */
export type LibraryCodes = ReadonlyMap<string, Uint8Array>;

/**
 * The libraries of a server; undefined: it has no functions (before Redis 7), or does not let us see them.
 *
 * @throws {RedisError | RedisUnreachableError} When it may say so another time.
 */
export async function librariesOf(redis: RedisConnection): Promise<LibraryCodes | undefined> {
  let reply: RedisValue;
  try {
    reply = await redis.call("FUNCTION", "LIST", "WITHCODE");
  } catch (error) {
    if (error instanceof RedisError && ["ERR", "NOPERM"].includes(error.code)) return undefined;
    throw error;
  }
  if (!Array.isArray(reply)) return undefined;
  return new Map(reply.map((library) => {
    const fields = Array.isArray(library) ? library : [];
    const valueOf = (name: string) =>
      fields[fields.findIndex((field) => replyText(field) === name) + 1] ?? "";
    return [replyText(valueOf("library_name")), valueOf("library_code") as Uint8Array] as const;
  }));
}

/** The code of libraries as text, to compare. */
export function textsOf(libraries: LibraryCodes): ReadonlyMap<string, string> {
  return new Map([...libraries].map(([name, code]) => [name, replyText(code)]));
}

/**
 * Loads libraries that a server lacks. One that it has under the same name stays as it is.
 *
 * @returns The names of those that were loaded.
 * @throws {RedisError} When it refuses one; its text says which and why.
 * @throws {RedisUnreachableError}
 */
export async function copyLibraries(from: RedisConnection, to: RedisConnection): Promise<string[]> {
  const wanted = await librariesOf(from);
  if (wanted === undefined || wanted.size === 0) return [];
  const there = await librariesOf(to);
  if (there === undefined) return [];
  const missing = [...wanted].filter(([name]) => !there.has(name));
  for (const [name, code] of missing) {
    try {
      await to.call("FUNCTION", "LOAD", code);
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      throw new RedisError(`it refuses the function library ${name}: ${error.message}`);
    }
  }
  return missing.map(([name]) => name);
}
