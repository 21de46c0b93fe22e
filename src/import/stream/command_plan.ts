/**
 * How each command that a server replicates is repeated; the one table about that.
 *
 * A command that is not named here is sent as it is, when its keys are in one slot. Otherwise its keys are
 * read again at the source.
 *
 * @module
 */

/**
 * What is done.
 *
 * - `pass`: as it is, by its keys.
 * - `ignore`: nothing: it changes no key.
 * - `each`: its keys are deleted one by one.
 * - `pairs`: its keys are set one by one.
 * - `reread`: its keys are read again.
 * - `select`: later commands are for another database.
 * - `set`, `setex`, `expire`: with the time at which the key expires, not how long it lives.
 * - `expire_at`, `persist`: as it is, and it must have changed something.
 * - `everywhere`: to every server: scripts and functions.
 * - `flush`: all keys are deleted, if the user allows that.
 * - `stop`: it cannot be followed.
 */
export type CommandPlan =
  | "pass"
  | "ignore"
  | "each"
  | "pairs"
  | "reread"
  | "select"
  | "set"
  | "setex"
  | "expire"
  | "expire_at"
  | "persist"
  | "everywhere"
  | "flush"
  | "stop";

const PLANS: Readonly<Record<CommandPlan, string>> = {
  pass: "",
  // A group of commands needs no frame: nobody else writes these keys meanwhile.
  ignore: "ping replconf multi exec publish spublish opinfo script|exists script|kill",
  each: "del unlink",
  pairs: "mset msetnx",
  // Times that run from now on; keys of another database.
  reread: "getex restore move copy slotsrestore",
  select: "select",
  set: "set",
  setex: "setex psetex",
  expire: "expire pexpire",
  expire_at: "expireat pexpireat",
  persist: "persist",
  everywhere:
    "script|load script|flush function|load function|delete function|flush function|restore",
  flush: "flushall flushdb",
  stop: "swapdb restore-asking",
};

const BY_NAME: ReadonlyMap<string, CommandPlan> = new Map(
  Object.entries(PLANS).flatMap(([plan, names]) =>
    names.split(" ").filter((name) => name !== "").map((name) =>
      [name, plan as CommandPlan] as const
    )
  ),
);

/** Looks up a command; `name` as in the command table. */
export function planOf(name: string): CommandPlan {
  return BY_NAME.get(name) ?? "pass";
}

/** Commands with names of keys that are no arguments of their own: they are not renamed. */
const HIDDEN_KEYS: ReadonlySet<string> = new Set(
  "sort eval evalsha eval_ro evalsha_ro fcall fcall_ro".split(" "),
);

/** Whether a command may use keys that are no arguments of their own. */
export function hasHiddenKeys(name: string): boolean {
  return HIDDEN_KEYS.has(name);
}
