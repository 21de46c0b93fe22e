/**
 * Where the users of a proxy come from, unless the store has them: an ACL file, or the lines of config.ini.
 *
 * @module
 */

import { printAclFile, readAclFile, type ReadUsers } from "../acl/acl_file.ts";
import { mergeSelectors } from "../acl/rule_words.ts";
import { hasSpaces } from "../acl/selector.ts";
import { DEFAULT_USER, User, type UserRecord } from "../acl/user.ts";
import { bytesOfText, textOfBytes } from "../acl/users.ts";
import type { UsersSource } from "../acl/users_owner.ts";
import { excerpt } from "../base/excerpt.ts";
import { fileFault } from "../base/file_fault.ts";
import { logger } from "../base/log.ts";
import { replaceFile } from "../base/replace_file.ts";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import type { ConfigUser } from "../config/value.ts";
import { latin1, latin1Bytes } from "../resp/latin1.ts";

const log = logger("proxy");

/** Of a new ACL file: nobody else may read the hashes of passwords. */
const FILE_MODE = 0o600;

/** The users to start with; where they are kept, if anywhere. */
export interface StartUsers {
  readonly users: readonly UserRecord[];
  readonly source: UsersSource | null;
}

/**
 * Reads the users that the configuration names.
 *
 * @throws {ConfigError} Naming file, line and rule, when something is wrong with them.
 */
export async function readUsers(config: Config): Promise<StartUsers> {
  const { aclFile, users } = config;
  if (aclFile === "") return { users: users.map(userOfLine), source: null };
  const source = new AclFile(aclFile);
  const read = await source.load();
  if (read.errors.length > 0) throw new ConfigError(textOfBytes(read.errors.join("")).trim());
  warnOfPassword(config, read.users);
  return { users: read.users, source };
}

/** Makes a user of a line of config.ini. */
function userOfLine({ name, rules, at }: ConfigUser): UserRecord {
  const fail = (what: string) => new ConfigError(`${at}: user.${excerpt(name)}: ${what}`);
  if (name === "" || hasSpaces(bytesOfText(name))) {
    throw fail("Spaces not allowed in ACL usernames");
  }
  const user = new User(bytesOfText(name));
  const words = bytesOfText(rules.reveal()).split(" ").filter((word) => word !== "");
  const merged = mergeSelectors(words);
  if ("unmatched" in merged) {
    throw fail(`Unmatched parenthesis in acl selector starting at '${excerpt(merged.unmatched)}'`);
  }
  for (const rule of merged.rules) {
    const error = user.apply(rule);
    if (error !== "") throw fail(`rule '${shown(rule)}': ${error}`);
  }
  if (!user.isOn) {
    log.warn(
      "{at}: user {name} is off: nobody can log in as it, as long as there is no rule 'on'",
      {
        at,
        name,
      },
    );
  }
  return user.record();
}

/** A rule for a message: without its password, also where this is glued to something or in a selector. */
function shown(rule: string): string {
  return excerpt(textOfBytes(rule.replace(/([><#!])[^ )]+/g, "$1***")));
}

/** `password` is the default user's, and the file has another one: an operator expects both to be right. */
function warnOfPassword({ password, aclFile }: Config, users: readonly UserRecord[]): void {
  const record = users.find(({ name }) => name === DEFAULT_USER);
  if (record === undefined || !password.isSet) return;
  const user = new User(DEFAULT_USER);
  user.become({ ...record, flags: record.flags.map((flag) => (flag === "off" ? "on" : flag)) });
  if (!user.isNoPass && user.accepts(latin1Bytes(bytesOfText(password.reveal())))) return;
  log.warn(
    "password in the configuration is not one of the user default in {file}: for clients, the file " +
      "counts; servers still get the password",
    { file: aclFile },
  );
}

/** Users in a file, as Redis's `aclfile`. */
class AclFile implements UsersSource {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async load(): Promise<ReadUsers> {
    let bytes: Uint8Array;
    try {
      bytes = await Deno.readFile(this.#path);
    } catch (error) {
      const text = `Error loading ACLs, opening file '${excerpt(this.#path)}': ${reasonOf(error)}`;
      return { users: [], errors: [bytesOfText(text)] };
    }
    return readAclFile(latin1(bytes), bytesOfText(this.#path));
  }

  async save(lines: readonly string[]): Promise<string> {
    const path = this.#path;
    try {
      const mode = (await Deno.stat(path).catch(() => null))?.mode ?? FILE_MODE;
      await replaceFile(path, latin1Bytes(printAclFile(lines)), mode & 0o777);
      return "";
    } catch (error) {
      log.error("users cannot be saved to {path}: {reason}", { path, reason: reasonOf(error) });
      return "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
    }
  }

  keep(): Promise<string> {
    return Promise.resolve(""); // until ACL SAVE, as in Redis
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "No such file or directory";
  if (error instanceof Deno.errors.PermissionDenied) return "Permission denied";
  return fileFault(error);
}
