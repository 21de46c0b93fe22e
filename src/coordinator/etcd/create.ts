/**
 * New entries in etcd: their missing parents are made with them, and numbers appear in order.
 *
 * @module
 */

import { CoordinatorError, NodeExistsError } from "../errors.ts";
import { parentOf, ROOT_PATH } from "../path.ts";
import { EtcdError } from "./client.ts";
import { entryKey, isAtRevision, sequenceKey } from "./keys.ts";
import type { EtcdKv } from "./kv.ts";
import { createTxn, isEphemeral, kvOf } from "./txn.ts";

/** Digits of a sequential entry's number, as in etcd 2. */
const SEQUENCE_DIGITS = 20;

/** An entry to create. */
export interface EtcdNewEntry {
  /** Its path; of a numbered one, all before the number. */
  readonly path: string;
  readonly data: string;
  /** The lease that it ends with, if it is ephemeral. */
  readonly lease: string | undefined;
}

/**
 * Creates an entry, and its parents when they are missing.
 *
 * @returns Its path.
 * @throws {NodeExistsError} When it is there.
 * @throws {CoordinatorError} When it would be the child of an ephemeral entry.
 * @throws {EtcdError} When etcd does not do it by `deadlineMs` of the monotonic clock.
 */
export async function createEntry(
  kv: EtcdKv,
  { path, data, lease }: EtcdNewEntry,
  deadlineMs: number,
): Promise<string> {
  if (path === ROOT_PATH) throw new NodeExistsError(path);
  for (let missing: string[] = [];;) {
    const answer = await kv.txn(createTxn(path, data, lease, missing), deadlineMs);
    if (answer.succeeded === true) return path;
    if (kvOf(answer, 0) !== undefined) throw new NodeExistsError(path);
    missing = await missingAbove(kv, path, deadlineMs);
  }
}

/**
 * Creates an entry whose name ends in the store's next revision. Each numbered child also writes one
 * key of its parent, so of two at a time the second one tries again: numbers appear in order.
 *
 * @param onDoubt Called with the path of an entry that may have been made although no answer came.
 * @returns Its path.
 * @throws As {@linkcode createEntry}.
 */
export async function createNumbered(
  kv: EtcdKv,
  { path: prefix, data, lease }: EtcdNewEntry,
  deadlineMs: number,
  onDoubt: (path: string) => void,
): Promise<string> {
  const parent = parentOf(prefix);
  const sequence = sequenceKey(parent);
  let { header, kvs } = await kv.range(sequence, deadlineMs);
  for (let missing: string[] = [];;) {
    const written = Number(kvs?.[0]?.mod_revision ?? 0);
    const number = `${Number(header.revision) + 1}`.padStart(SEQUENCE_DIGITS, "0");
    const path = prefix + number;
    const create = createTxn(path, data, lease, missing);
    const attempt = kv.txn({
      compare: [...create.compare, isAtRevision(sequence, written)],
      success: [...create.success, { request_put: { key: sequence.key, value: "" } }],
      failure: [{ request_range: sequence }, { request_range: entryKey(parent) }],
    }, deadlineMs);
    const answer = await attempt.catch((error) => {
      if (error instanceof EtcdError && error.kind === "unanswered") onDoubt(path);
      throw error;
    });
    if (answer.succeeded === true) return path;
    header = answer.header;
    kvs = answer.responses?.[0]?.response_range?.kvs;
    const isParentFit = kvOf(answer, 1) !== undefined && !isEphemeral(kvOf(answer, 1));
    missing = isParentFit ? [] : await missingAbove(kv, path, deadlineMs);
  }
}

/** The entries between the root and `path` that are not there, parents before children. */
async function missingAbove(kv: EtcdKv, path: string, deadlineMs: number): Promise<string[]> {
  const above: string[] = [];
  for (let parent = parentOf(path); parent !== ROOT_PATH; parent = parentOf(parent)) {
    above.unshift(parent);
  }
  if (above.length === 0) return [];
  const success = above.map((parent) => ({ request_range: entryKey(parent) }));
  const { responses } = await kv.txn({ compare: [], success }, deadlineMs, true);
  const kvs = responses?.map(({ response_range }) => response_range?.kvs?.[0]) ?? [];
  const ephemeral = above.find((_, i) => isEphemeral(kvs[i]));
  if (ephemeral !== undefined) {
    throw new CoordinatorError(path, `cannot create "${path}": "${ephemeral}" is ephemeral`);
  }
  return above.filter((_, i) => kvs[i] === undefined);
}
