/**
 * The ways in which an operation of the control plane fails, besides the store's own.
 *
 * @module
 */

import { beginning } from "../base/excerpt.ts";
import { StoreError } from "../store/store.ts";

/** Another dashboard leads: nothing was changed by this one. */
export class NotLeaderError extends Error {
  override readonly name = "NotLeaderError";
  /** Where the leader is, `host:port`; empty while no dashboard leads. */
  readonly leader: string;

  /**
   * @param why Whether this dashboard is about to lead, the one that leads announces the same address, or the
   * coordinator does not say who leads.
   */
  constructor(leader: string, why: "" | "taking over" | "same address" | "unproven" = "") {
    super(
      why === "taking over"
        ? "this dashboard is taking over from the one that led: try again"
        : why === "unproven"
        ? "it is not known whether this dashboard leads still: the coordinator does not answer, try again"
        : leader === ""
        ? "no dashboard leads at the moment: try again"
        : why === "same address"
        ? sameAddressText(leader)
        : `this dashboard stands by: the one at ${leader} leads`,
    );
    // Whoever were sent there might come to this one again.
    this.leader = why === "same address" ? "" : leader;
  }
}

/** What is wrong when two dashboards announce one address, and what to do. */
export function sameAddressText(addr: string): string {
  return `this dashboard stands by: the one that leads announces the same address, ${addr}; if both run, start ` +
    "each with an --announce-addr of its own";
}

/** A change is in the store, but proxies did not confirm it in time; the message names them. */
export class UnconfirmedError extends Error {
  override readonly name = "UnconfirmedError";
}

/** A change is refused that the same request with `force` would make; the message says what is lost then. */
export class ForceableError extends StoreError {}

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
  return beginning(value === undefined ? "missing" : JSON.stringify(value), VALUE_MAX);
}
