/**
 * What the steps of a transaction have in common.
 *
 * @module
 */

import { type Operation, OPERATIONS_MAX } from "./coordinator.ts";
import { checkPath } from "./path.ts";

/** The verb of an operation, as error texts say it. */
export type OperationVerb = "check" | "create" | "write" | "delete";

/** What an operation is about, and what it does with it. */
export function subjectOf(operation: Operation): { path: string; verb: OperationVerb } {
  if ("check" in operation) return { path: operation.check, verb: "check" };
  if ("create" in operation) return { path: operation.create, verb: "create" };
  if ("write" in operation) return { path: operation.write, verb: "write" };
  return { path: operation.delete, verb: "delete" };
}

/**
 * Checks what every coordinator demands of a transaction.
 *
 * @throws {TypeError} When there are too many operations, a path is malformed or named twice.
 */
export function checkOperations(operations: readonly Operation[]): void {
  if (operations.length > OPERATIONS_MAX) {
    throw new TypeError(`${operations.length} operations are more than ${OPERATIONS_MAX}`);
  }
  const seen = new Set<string>();
  for (const operation of operations) {
    const { path } = subjectOf(operation);
    checkPath(path);
    if (seen.has(path)) throw new TypeError(`"${path}" is named twice in a transaction`);
    seen.add(path);
  }
}
