/**
 * What is wrong with one entry of the store, and what to do about it.
 *
 * @module
 */

/** `error`: something is not served, or cannot be changed; `warning`: it may be in order. */
export type Severity = "error" | "warning";

/** One thing that is wrong. */
export interface Problem {
  /** The entry that it is about. */
  readonly path: string;
  readonly severity: Severity;
  /** What is wrong. */
  readonly problem: string;
  /** What to do about it. */
  readonly fix: string;
  /** What `config check --fix` does about it; left out: an operator must decide. */
  readonly repairs?: readonly Repair[];
  /** Whether `config check --remove` takes the entry away: it cannot be read; left out: not. */
  readonly isRemovable?: true;
}

/** The one right answer to a problem: this entry is written so, or deleted. */
export interface Repair {
  readonly path: string;
  /** `undefined`: it is deleted. */
  readonly data?: string;
}

/** How a command is spelled in a piece of advice. */
export const CONFIG = "codis-proxy config";

/** The command that takes a record away which cannot be read. */
export function removalOf(path: string): string {
  return `${CONFIG} check --remove=${path}`;
}

/** A record that cannot be read, or that nobody reads, and that an operator may take away. */
export function removable(problem: Problem): Problem {
  return { ...problem, isRemovable: true };
}

/** Something is not served, or cannot be changed. */
export function errorAt(
  path: string,
  problem: string,
  fix: string,
  ...repairs: readonly Repair[]
): Problem {
  return { path, severity: "error", problem, fix, ...repairs.length > 0 && { repairs } };
}

/** Something that may be in order, or can wait. */
export function warningAt(
  path: string,
  problem: string,
  fix: string,
  ...repairs: readonly Repair[]
): Problem {
  return { path, severity: "warning", problem, fix, ...repairs.length > 0 && { repairs } };
}
