/**
 * The one who changes the users of a proxy: one change after the other, and each is in force in every worker
 * before it is answered.
 *
 *      ACL SETUSER in a worker ─┐                        ┌─► worker 0
 *      ACL LOAD                 ├─► change ─► source ────┼─► worker 1   ─► answered
 *      the store has changed ───┘   planned   keeps it   └─► worker 2
 *
 * @module
 */

import { Turns } from "../base/turns.ts";
import type { ReadUsers } from "./acl_file.ts";
import type { UserRecord } from "./user.ts";
import { Users, type UsersUpdate } from "./users.ts";

/** What a client asks for. Names and rules are of one character for each byte. */
export type UsersChange =
  /** ACL SETUSER. */
  | { readonly kind: "set"; readonly name: string; readonly rules: readonly string[] }
  /** ACL DELUSER. */
  | { readonly kind: "delete"; readonly names: readonly string[] }
  /** ACL LOAD: all users anew, from where they come. */
  | { readonly kind: "load" }
  /** ACL SAVE. */
  | { readonly kind: "save" };

/** How a change ended. */
export interface UsersAnswer {
  /** An error text as Redis words it, with its first word; empty when all went well. */
  readonly error: string;
  /** How many users were deleted. */
  readonly deleted: number;
}

/** Where the users come from, and are kept: a file, or the store. */
export interface UsersSource {
  /** ACL LOAD. */
  load(): Promise<ReadUsers>;
  /** ACL SAVE, of lines `user NAME rules…`; returns an error text, empty when they are saved. */
  save(lines: readonly string[]): Promise<string>;
  /** Keeps what a client has changed before it is in force; an error text refuses the change. */
  keep(update: UsersUpdate): Promise<string>;
  /**
   * Makes a change that a client asks for, and whose rules are right; it is in force when this resolves. Left
   * out: changes are made here, and kept.
   */
  make?(change: ChangedUsers, by: number): Promise<UsersAnswer>;
}

/** A change of single users. */
export type ChangedUsers = Extract<UsersChange, { kind: "set" | "delete" }>;

const NO_FILE =
  "ERR This Redis instance is not configured to use an ACL file. You may want to specify " +
  "users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis " +
  "configuration file set) in order to store users in the Redis configuration.";
const DONE: UsersAnswer = { error: "", deleted: 0 };

/** See the header. */
export class UsersOwner {
  /** As they are in force; changed only here. */
  readonly users: Users;
  /** Null: changes last until the process ends. */
  source: UsersSource | null = null;
  readonly #tell: (update: UsersUpdate) => Promise<void>;
  readonly #turns = new Turns(1);

  /** @param tell Puts an update into every worker; rejects when one does not take it. */
  constructor(users: Users, tell: (update: UsersUpdate) => Promise<void>) {
    this.users = users;
    this.#tell = tell;
  }

  /**
   * Makes a change that a client asks for, after those that were asked for before.
   *
   * @param by The client's id.
   */
  async change(change: UsersChange, by: number): Promise<UsersAnswer> {
    try {
      const { source } = this;
      if (source?.make !== undefined && (change.kind === "set" || change.kind === "delete")) {
        const error = change.kind === "set" ? this.users.planned(change.name, change.rules) : null;
        if (typeof error === "string") return { error: `ERR ${error}`, deleted: 0 };
        // Not in turn: others change the users meanwhile, and this one, too, comes back that way.
        return await source.make(change, by);
      }
      return await this.#turns.take(() => this.#change(change, by));
    } catch (error) {
      return { error: `ERR ${(error as Error).message}`, deleted: 0 };
    }
  }

  /**
   * Takes over users that were changed elsewhere: those that differ; clients of others notice nothing.
   *
   * @param by The client that asked for it; 0 for none.
   * @throws {Error} When a worker does not take them.
   */
  replaceAll(records: readonly UserRecord[], by = 0): Promise<void> {
    return this.#turns.take(async () => {
      const { changed, deleted } = this.users.updateTo(records);
      const others = changed.filter((record) => !this.users.isSame(record));
      if (others.length + deleted.length === 0) return;
      await this.#inForce({ changed: others, deleted, isReload: false, by });
    });
  }

  /**
   * The configuration has other passwords for the default user.
   *
   * @param tell Puts them into every worker.
   */
  setPasswords(passwords: readonly string[], tell: () => Promise<void>): Promise<void> {
    return this.#turns.take(async () => {
      this.users.setPasswords(passwords);
      await tell();
    });
  }

  async #change(change: UsersChange, by: number): Promise<UsersAnswer> {
    switch (change.kind) {
      case "set": {
        const record = this.users.planned(change.name, change.rules);
        if (typeof record === "string") return { error: `ERR ${record}`, deleted: 0 };
        return await this.#keep({ changed: [record], deleted: [], isReload: false, by });
      }
      case "delete": {
        const deleted = [...new Set(change.names)].filter((name) => this.users.get(name));
        if (deleted.length === 0) return DONE;
        const answer = await this.#keep({ changed: [], deleted, isReload: false, by });
        return answer.error === "" ? { error: "", deleted: deleted.length } : answer;
      }
      case "load":
        return await this.#load(by);
      case "save":
        return { error: await this.source?.save(this.users.list()) ?? NO_FILE, deleted: 0 };
    }
  }

  async #load(by: number): Promise<UsersAnswer> {
    if (this.source === null) return { error: NO_FILE, deleted: 0 };
    const { users, errors } = await this.source.load();
    if (errors.length > 0) {
      const kept =
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
      return { error: `ERR ${errors.join("")}${kept}`, deleted: 0 };
    }
    await this.#inForce({ ...this.users.updateTo(users), by });
    return DONE;
  }

  async #keep(update: UsersUpdate): Promise<UsersAnswer> {
    const error = await this.source?.keep(update) ?? "";
    if (error === "") await this.#inForce(update);
    return { error, deleted: 0 };
  }

  async #inForce(update: UsersUpdate): Promise<void> {
    this.users.update(update);
    await this.#tell(update);
  }
}

/** Users of records; a default user that none of them is, is as Redis makes it. */
export function usersOf(records: readonly UserRecord[], passwords: readonly string[]): Users {
  const users = new Users(passwords);
  if (records.length > 0) {
    users.update({ changed: records, deleted: [], isReload: false, by: 0 });
  }
  return users;
}
