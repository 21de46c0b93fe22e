/**
 * How the tree lies in etcd: one key for each entry, and the words of its JSON gateway.
 *
 *     /zk/codis/db_test/slots/slot_0     an entry; its children begin with this and a "/"
 *     sequence:/zk/codis/db_test/actions written with every numbered child of that entry
 *
 * @module
 */

import { ROOT_PATH } from "../path.ts";

/** A part of the key space: one key, or all from `key` up to `range_end`; base64. */
export interface EtcdRange {
  readonly key: string;
  readonly range_end?: string;
}

/** A key as etcd answers it; numbers are texts, what is 0 or empty is left out. */
export interface EtcdKeyValue {
  readonly key: string;
  readonly value?: string;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly lease?: string;
}

/** The head of every answer. */
export interface EtcdHeader {
  /** How many changes the whole store has seen. */
  readonly revision: string;
}

/** The answer to a range. */
export interface EtcdRangeAnswer {
  readonly header: EtcdHeader;
  readonly kvs?: readonly EtcdKeyValue[];
}

/** The answer to a transaction; one part for each of its operations. */
export interface EtcdTxnAnswer {
  readonly header: EtcdHeader;
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: EtcdRangeAnswer }[];
}

/** A condition of a transaction. */
export type EtcdCompare =
  & EtcdRange
  & { readonly result: "EQUAL" | "GREATER" }
  & (
    | { readonly target: "CREATE"; readonly create_revision: string }
    | { readonly target: "MOD"; readonly mod_revision: string }
    | { readonly target: "LEASE"; readonly lease: string }
  );

/** One step of a transaction. */
export type EtcdOperation =
  | {
    readonly request_range: EtcdRange & { readonly keys_only?: boolean; readonly limit?: string };
  }
  | {
    readonly request_put: {
      readonly key: string;
      readonly value: string;
      readonly lease?: string;
      readonly ignore_lease?: boolean;
    };
  }
  | { readonly request_delete_range: EtcdRange };

/** Text as the gateway takes bytes, and HTTP a user with its password: base64. */
export function encodeText(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** Bytes of the gateway as text; none is the empty text. */
export function decodeText(base64: string | undefined): string {
  return base64 === undefined ? "" : new TextDecoder().decode(Uint8Array.fromBase64(base64));
}

/** The key of an entry. */
export function entryKey(path: string): EtcdRange {
  return { key: encodeText(path) };
}

/** The keys of everything below an entry. */
export function entryKeysBelow(path: string): EtcdRange {
  const prefix = path === ROOT_PATH ? "" : path;
  // "0" comes right after "/".
  return { key: encodeText(`${prefix}/`), range_end: encodeText(`${prefix}0`) };
}

/** The key that is written with every numbered child of an entry. */
export function sequenceKey(path: string): EtcdRange {
  return { key: encodeText(`sequence:${path}`) };
}

/** Those keys of everything below an entry. */
export function sequenceKeysBelow(path: string): EtcdRange {
  const prefix = path === ROOT_PATH ? "" : path;
  return { key: encodeText(`sequence:${prefix}/`), range_end: encodeText(`sequence:${prefix}0`) };
}

/** The name of the child that a key is, if it is one and not further below. */
export function childNameOf(path: string, key: string): string | undefined {
  const prefix = path === ROOT_PATH ? "/" : `${path}/`;
  const name = decodeText(key).slice(prefix.length);
  return name === "" || name.includes("/") ? undefined : name;
}

/** The condition that something is there; of a range, that all of it is. */
export function isThere(range: EtcdRange): EtcdCompare {
  return { ...range, result: "GREATER", target: "CREATE", create_revision: "0" };
}

/** The condition that something is not there; of a range, that none of it is. */
export function isMissing(range: EtcdRange): EtcdCompare {
  return { ...range, result: "EQUAL", target: "CREATE", create_revision: "0" };
}

/** The condition that a key was last changed at a revision; 0 for one that is not there. */
export function isAtRevision(range: EtcdRange, revision: number): EtcdCompare {
  return { ...range, result: "EQUAL", target: "MOD", mod_revision: `${revision}` };
}

/** The condition that a key ends with a lease; "0" for one that ends with none. */
export function hasLease(range: EtcdRange, lease: string): EtcdCompare {
  return { ...range, result: "EQUAL", target: "LEASE", lease };
}
