/**
 * The ways in which an operation of the control plane fails, besides the store's own.
 *
 * @module
 */

/** Another dashboard leads: nothing was changed by this one. */
export class NotLeaderError extends Error {
  override readonly name = "NotLeaderError";
  /** Where the leader is, `host:port`; empty while no dashboard leads. */
  readonly leader: string;

  /** @param isOwn Whether this dashboard itself is about to lead. */
  constructor(leader: string, isOwn = false) {
    super(
      isOwn
        ? "this dashboard is taking over from the one that led: try again"
        : leader === ""
        ? "no dashboard leads at the moment: try again"
        : `this dashboard stands by: the one at ${leader} leads`,
    );
    this.leader = leader;
  }
}

/** A change is in the store, but proxies did not confirm it in time; the message names them. */
export class UnconfirmedError extends Error {
  override readonly name = "UnconfirmedError";
}

/** Input that breaks a rule; nothing was changed. */
export class InputError extends Error {
  override readonly name = "InputError";
  /** The part of the input: `new_group`. */
  readonly field: string;
  /** What it must be: `a whole number from 1`. */
  readonly rule: string;

  /**
   * A `value` of `field` that breaks `rule`.
   *
   * @param shown What the message says in place of a value that may be a secret, or hold one.
   */
  constructor(field: string, rule: string, value: unknown, shown = quoted(value)) {
    super(`${field} must be ${rule}, not ${shown}`);
    this.field = field;
    this.rule = rule;
  }
}

/** Longest piece of a value that a message quotes, in characters. */
const VALUE_MAX = 80;

function quoted(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text;
}
