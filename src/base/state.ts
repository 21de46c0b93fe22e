/**
 * State as one word: a table of legal moves, and one function that makes a move.
 *
 * @module
 */

/** Where each state may go next; a state without a next one is an end. */
export type StateMoves<S extends string> = { readonly [From in S]: readonly S[] };

/**
 * Checks a move and returns the new state, to be stored by the one method that changes it:
 * `this.#state = changeState(MOVES, this.#state, "ready", this.name)`.
 *
 * @param owner What has the state, for the message.
 * @throws {Error} When the table does not allow the move: a bug, never a condition to handle.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const moves: StateMoves<"open" | "closed"> = { open: ["closed"], closed: [] };
 * assertEquals(changeState(moves, "open", "closed", "door"), "closed");
 * ```
 */
export function changeState<S extends string>(
  moves: StateMoves<S>,
  from: S,
  to: S,
  owner: string,
): S {
  if (!moves[from].includes(to)) throw new Error(`${owner} cannot go from "${from}" to "${to}"`);
  return to;
}
