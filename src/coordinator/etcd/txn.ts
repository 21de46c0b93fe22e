/**
 * Transactions on the tree in etcd, and what their answers mean.
 *
 * @module
 */

import type { Entry, Operation } from "../coordinator.ts";
import {
  BadVersionError,
  type CoordinatorError,
  NodeExistsError,
  NoNodeError,
  NotEmptyError,
} from "../errors.ts";
import { subjectOf } from "../operation.ts";
import {
  childNameOf,
  decodeText,
  encodeText,
  entryKey,
  entryKeysBelow,
  type EtcdCompare,
  type EtcdKeyValue,
  type EtcdOperation,
  type EtcdRangeAnswer,
  type EtcdTxnAnswer,
  hasLease,
  isAtRevision,
  isMissing,
  isThere,
  sequenceKey,
  sequenceKeysBelow,
} from "./keys.ts";
import { parentOf, ROOT_PATH } from "../path.ts";

/** Conditions, and what is done when all of them hold and when they do not. */
export interface Txn {
  readonly compare: EtcdCompare[];
  readonly success: EtcdOperation[];
  readonly failure?: EtcdOperation[];
}

/** New data for an entry, at a version if one is given; the answer to a failure is the entry. */
export function writeTxn(path: string, data: string, version: number | undefined): Txn {
  const put = { ...entryKey(path), value: encodeText(data), ignore_lease: path !== ROOT_PATH };
  return {
    compare: conditions(path, version),
    success: [{ request_put: put }],
    failure: [{ request_range: entryKey(path) }],
  };
}

/** New data for an entry, and another lease that it ends with; otherwise as {@linkcode writeTxn}. */
export function adoptTxn(
  path: string,
  data: string,
  lease: string,
  version: number | undefined,
): Txn {
  const put = { ...entryKey(path), value: encodeText(data), lease };
  return { ...writeTxn(path, data, version), success: [{ request_put: put }] };
}

/** The end of one entry without children; otherwise as {@linkcode writeTxn}. */
export function deleteTxn(path: string, version: number | undefined): Txn {
  return {
    compare: [...conditions(path, version), isMissing(entryKeysBelow(path))],
    success: [
      { request_delete_range: entryKey(path) },
      { request_delete_range: sequenceKey(path) },
    ],
    failure: [{ request_range: entryKey(path) }],
  };
}

/** The end of an entry and everything below it. */
export function deleteTreeTxn(path: string): Txn {
  const entries = [entryKey(path), entryKeysBelow(path)];
  const sequences = [sequenceKey(path), sequenceKeysBelow(path)];
  return {
    compare: [],
    success: [...entries, ...sequences].map((range) => ({ request_delete_range: range })),
  };
}

/** The answers to a failed transaction are, for each operation, its entry and what is around it. */
const ANSWERS_EACH = 2;

/**
 * Several operations at once; the answers to a failure are the entry of each, and then its parent when
 * it will be created, or its first child.
 */
export function transactionTxn(operations: readonly Operation[]): Txn & {
  readonly failure: EtcdOperation[];
} {
  const created = new Set(operations.flatMap((each) => "create" in each ? [each.create] : []));
  const parentCompares = new Map<string, EtcdCompare>();
  const compare = operations.flatMap((operation): EtcdCompare[] => {
    const { path } = subjectOf(operation);
    if ("create" in operation) {
      const parent = parentOf(path);
      const isKnown = parent === ROOT_PATH || created.has(parent);
      if (!isKnown) parentCompares.set(parent, isThere(entryKey(parent)));
      return [isMissing(entryKey(path))];
    }
    const own = conditions(path, operation.version);
    return "delete" in operation ? [...own, isMissing(entryKeysBelow(path))] : own;
  });
  return {
    compare: [...compare, ...parentCompares.values()],
    success: operations.flatMap((operation): EtcdOperation[] => {
      if ("check" in operation) return [];
      if ("delete" in operation) return deleteTxn(operation.delete, undefined).success;
      if ("write" in operation) {
        return writeTxn(operation.write, operation.data, undefined).success;
      }
      const { key } = entryKey(operation.create);
      return [{ request_put: { key, value: encodeText(operation.data) } }];
    }),
    failure: operations.flatMap((operation): EtcdOperation[] => {
      const { path } = subjectOf(operation);
      const around = "create" in operation
        ? entryKey(parentOf(path))
        : { ...entryKeysBelow(path), limit: "1" };
      return [{ request_range: entryKey(path) }, { request_range: around }];
    }),
  };
}

/** Why a transaction was not made; `undefined` when by now it could be. */
export function transactionFailureOf(
  operations: readonly Operation[],
  answer: EtcdTxnAnswer,
): CoordinatorError | undefined {
  const created = new Set<string>();
  for (const [i, operation] of operations.entries()) {
    const { path, verb } = subjectOf(operation);
    const kv = kvOf(answer, i * ANSWERS_EACH);
    const around = kvOf(answer, i * ANSWERS_EACH + 1);
    if ("create" in operation) {
      if (kv !== undefined || path === ROOT_PATH) return new NodeExistsError(path);
      const parent = parentOf(path);
      const hasParent = around !== undefined || parent === ROOT_PATH || created.has(parent);
      if (!hasParent) return new NoNodeError(parent, "read");
      created.add(path);
      continue;
    }
    const entry = entryOfKey(path, kv);
    if (entry === undefined) return new NoNodeError(path, verb);
    const { version } = operation;
    if (version !== undefined && version !== entry.version) {
      return new BadVersionError(path, verb, version, entry.version);
    }
    if ("delete" in operation && around !== undefined) return new NotEmptyError(path);
  }
  return undefined;
}

/** The names of children, if their parent is there. */
export function childrenTxn(path: string): Txn {
  return {
    compare: path === ROOT_PATH ? [] : [isThere(entryKey(path))],
    success: [{ request_range: { ...entryKeysBelow(path), keys_only: true } }],
  };
}

/** The end of an entry that ends with a lease. */
export function deleteOwnedTxn(path: string, lease: string): Txn {
  return {
    compare: [isThere(entryKey(path)), hasLease(entryKey(path), lease)],
    success: [{ request_delete_range: entryKey(path) }],
  };
}

/** That an entry is there, at a version if one is given; the root always is. */
function conditions(path: string, version: number | undefined): EtcdCompare[] {
  const at = version === undefined ? [] : [isAtRevision(entryKey(path), version)];
  return path === ROOT_PATH ? at : [isThere(entryKey(path)), ...at];
}

/**
 * One entry under parents that are there, and those that are `missing`, which are made with it; the
 * answer to a failure is the entry.
 *
 * @param lease What it ends with, if it is ephemeral.
 */
export function createTxn(
  path: string,
  data: string,
  lease: string | undefined,
  missing: readonly string[],
): Txn & { failure: EtcdOperation[] } {
  const nearest = missing.length === 0 ? parentOf(path) : parentOf(missing[0]!);
  const isUnderRoot = nearest === ROOT_PATH;
  const { key } = entryKey(path);
  return {
    compare: [
      ...[path, ...missing].map((absent) => isMissing(entryKey(absent))),
      ...(isUnderRoot ? [] : [isThere(entryKey(nearest)), hasLease(entryKey(nearest), "0")]),
    ],
    success: [
      ...missing.map((parent) => ({ request_put: { ...entryKey(parent), value: "" } })),
      { request_put: { key, value: encodeText(data), ...(lease === undefined ? {} : { lease }) } },
    ],
    failure: [{ request_range: entryKey(path) }],
  };
}

/** The first key of one of a transaction's ranges. */
export function kvOf(answer: EtcdTxnAnswer, index: number): EtcdKeyValue | undefined {
  return answer.responses?.[index]?.response_range?.kvs?.[0];
}

/** Whether a key ends with a session. */
export function isEphemeral(kv: EtcdKeyValue | undefined): boolean {
  return kv?.lease !== undefined && kv.lease !== "0";
}

/** Why a change that asks for an entry at a version was not made; `answer` begins with the entry. */
export function failureOf(
  path: string,
  verb: string,
  version: number | undefined,
  answer: EtcdTxnAnswer,
): CoordinatorError {
  const kv = kvOf(answer, 0);
  if (kv === undefined) return new NoNodeError(path, verb);
  const actual = Number(kv.mod_revision);
  if (version === undefined || version === actual) return new NotEmptyError(path);
  return new BadVersionError(path, verb, version, actual);
}

/** A key as an entry; the root is always there. */
export function entryOfKey(path: string, kv: EtcdKeyValue | undefined): Entry | undefined {
  if (kv !== undefined) return { data: decodeText(kv.value), version: Number(kv.mod_revision) };
  return path === ROOT_PATH ? { data: "", version: 0 } : undefined;
}

/** The names of children in a range of keys, sorted as strings. */
export function childNames(path: string, answer: EtcdRangeAnswer | undefined): string[] {
  const names = (answer?.kvs ?? []).map(({ key }) => childNameOf(path, key));
  return names.filter((name) => name !== undefined).sort();
}
