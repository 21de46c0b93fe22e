/**
 * What takes more than one call of ZooKeeper: nodes with their parents, with all below them, at a
 * version, or watched before they are there.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Turns } from "../../base/turns.ts";
import type { Entry, Operation } from "../coordinator.ts";
import { BadVersionError, NodeExistsError, NoNodeError, NotEmptyError } from "../errors.ts";
import { subjectOf } from "../operation.ts";
import { childOf, parentOf, ROOT_PATH } from "../path.ts";
import { CALLS_MAX, type ZookeeperClient, ZookeeperError, type ZookeeperNode } from "./client.ts";
import {
  createAcl,
  type LibraryAcl,
  type LibraryOperation,
  type LibraryStat,
  PERMISSION,
} from "./library.ts";

/** How a node is created, as ZooKeeper's flags. */
export const CREATE_FLAGS = {
  persistent: 0,
  ephemeral: 1,
  sequential: 2,
  ephemeral_sequential: 3,
} as const;

/** Changes a node at any version. */
const ANY_VERSION = -1;

const { read, write, create, delete: del, admin } = PERMISSION;

/** Rights as Codis 2.0 sets them: for nodes that have children, that have none, that are to go. */
const RIGHTS = {
  directory: read | write | create | del | admin,
  leaf: read | write | admin,
  doomed: read | del | admin,
} as const;

/** The rights to the nodes that a coordinator makes. */
export type NodeRights = { readonly [R in keyof typeof RIGHTS]: LibraryAcl };

/** Everybody's, as in Codis 2.0, or for those alone who have our credentials. */
export function rightsFor(whose: "anyone" | "creator"): NodeRights {
  return {
    directory: createAcl(RIGHTS.directory, whose),
    leaf: createAcl(RIGHTS.leaf, whose),
    doomed: createAcl(RIGHTS.doomed, whose),
  };
}

/** Whether a call failed with this code of ZooKeeper's. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof ZookeeperError && error.code === code;
}

/**
 * A node's version: the number of the transaction that wrote it last; unlike ZooKeeper's own count it
 * is not used again when the node is deleted and made anew. Below 2^53 for two million elections.
 */
export function versionOf(stat: LibraryStat): number {
  return Number(stat.mzxid.readBigInt64BE());
}

/** A node as an entry. */
export function entryOfNode({ data, stat }: ZookeeperNode): Entry {
  return { data, version: versionOf(stat) };
}

/** Creates a node, and its parents when they are missing, which is seldom. */
export async function createWithParents<T>(
  client: ZookeeperClient,
  path: string,
  rights: NodeRights,
  deadlineMs: number,
  createOnce: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await createOnce();
    } catch (error) {
      if (!isCode(error, "NO_NODE")) throw error;
    }
    const parent = parentOf(path);
    try {
      await createWithParents(client, parent, rights, deadlineMs, () => {
        const { directory } = rights;
        return client.create(parent, "", directory, CREATE_FLAGS.persistent, deadlineMs);
      });
    } catch (error) {
      if (!isCode(error, "NODE_EXISTS")) throw error;
    }
  }
}

/**
 * Makes a change of a node, if it is at a version.
 *
 * @param change Given how often the node must have been written for ZooKeeper to make it.
 * @throws {NoNodeError} When it is not there.
 * @throws {BadVersionError} When it is at another version.
 */
export async function changeAtVersion<T>(
  client: ZookeeperClient,
  path: string,
  verb: string,
  version: number | undefined,
  deadlineMs: number,
  change: (count: number) => Promise<T>,
): Promise<T> {
  if (version === undefined) return await change(ANY_VERSION);
  for (;;) {
    const stat = await client.stat(path, deadlineMs);
    if (stat === null) throw new NoNodeError(path, verb);
    const actual = versionOf(stat);
    if (actual !== version) throw new BadVersionError(path, verb, version, actual);
    try {
      return await change(stat.version);
    } catch (error) {
      // Written in between: the next look says at which version it is.
      if (!isCode(error, "BAD_VERSION")) throw error;
    }
  }
}

/**
 * Does several things at once, or none.
 *
 * @throws {NodeExistsError | NoNodeError | NotEmptyError | BadVersionError} When one cannot be done.
 */
export async function transact(
  client: ZookeeperClient,
  operations: readonly Operation[],
  rights: NodeRights,
  deadlineMs: number,
): Promise<void> {
  for (;;) {
    const counted = await Promise.all(operations.map(async (operation) => {
      const { path, verb } = subjectOf(operation);
      if (!("version" in operation) || operation.version === undefined) return ANY_VERSION;
      return await changeAtVersion(client, path, verb, operation.version, deadlineMs, (count) => {
        return Promise.resolve(count);
      });
    }));
    const failure = await client.transact(
      operations.map((operation, i) => libraryOperation(operation, counted[i]!, rights)),
      deadlineMs,
    );
    if (failure === undefined) return;
    const { path, verb } = subjectOf(operations[failure.index]!);
    switch (failure.code) {
      case "BAD_VERSION": // written in between: the next look says at which version it is
        continue;
      case "NO_NODE":
        throw verb === "create"
          ? new NoNodeError(parentOf(path), "read")
          : new NoNodeError(path, verb);
      case "NODE_EXISTS":
        throw new NodeExistsError(path);
      case "NOT_EMPTY":
        throw new NotEmptyError(path);
    }
    throw errorOfCode(failure.code);
  }
}

/**
 * Puts an ephemeral node of this session in the place of another one, at once.
 *
 * @throws {NoNodeError | BadVersionError} As {@linkcode changeAtVersion}.
 */
export async function adopt(
  client: ZookeeperClient,
  { path, data, acl }: { path: string; data: string; acl: LibraryAcl },
  version: number | undefined,
  deadlineMs: number,
): Promise<void> {
  await changeAtVersion(client, path, "write", version, deadlineMs, async (count) => {
    const failure = await client.transact([
      { delete: path, version: count },
      { create: path, data: Buffer.from(data), acl, flags: CREATE_FLAGS.ephemeral },
    ], deadlineMs);
    if (failure !== undefined) throw errorOfCode(failure.code);
  });
}

function errorOfCode(code: string): ZookeeperError {
  return new ZookeeperError(code, code.toLowerCase().replaceAll("_", " "));
}

function libraryOperation(
  operation: Operation,
  version: number,
  rights: NodeRights,
): LibraryOperation {
  if ("check" in operation) return { check: operation.check, version };
  if ("delete" in operation) return { delete: operation.delete, version };
  const data = Buffer.from(operation.data);
  if ("write" in operation) return { write: operation.write, data, version };
  const acl = operation.isLeaf === true ? rights.leaf : rights.directory;
  return { create: operation.create, data, acl };
}

/**
 * Deletes a node and everything below it; nothing happens when it is not there. Each call has the time of one, since
 * there may be thousands.
 *
 * @param deadlineMs When a call that is made now must be answered, in milliseconds of the monotonic clock.
 */
export async function deleteTree(
  client: ZookeeperClient,
  path: string,
  rights: NodeRights,
  deadlineMs: () => number,
): Promise<void> {
  const turns = new Turns(CALLS_MAX);
  let failure: unknown;
  const call: TreeCall = (make) =>
    turns.take(() => failure === undefined ? make(deadlineMs()) : Promise.reject(failure));
  try {
    await deleteBelow(client, path, rights, call);
  } catch (error) {
    // What still waits for its turn is not begun.
    throw failure = error;
  }
}

/** Makes a call when its turn has come. */
type TreeCall = <T>(make: (deadlineMs: number) => Promise<T>) => Promise<T>;

async function deleteBelow(
  client: ZookeeperClient,
  path: string,
  rights: NodeRights,
  call: TreeCall,
): Promise<void> {
  for (let isDoomed = false;;) {
    try {
      const names = await call((deadlineMs) => client.children(path, deadlineMs));
      await Promise.all(
        names.map((name) => deleteBelow(client, childOf(path, name), rights, call)),
      );
    } catch (error) {
      if (isCode(error, "NO_NODE")) return;
      if (!isCode(error, "NO_AUTH") || isDoomed) throw error;
      // The rights to list and to delete children lie with their parent, and may be missing there.
      isDoomed = true;
      await call((deadlineMs) => client.permit(path, rights.doomed, deadlineMs));
      continue;
    }
    if (path === ROOT_PATH) return;
    try {
      return await call((deadlineMs) => client.delete(path, ANY_VERSION, deadlineMs));
    } catch (error) {
      if (isCode(error, "NO_NODE")) return;
      // A child was created meanwhile.
      if (!isCode(error, "NOT_EMPTY")) throw error;
    }
  }
}

/** Deletes one node at any version. */
export function deleteNode(
  client: ZookeeperClient,
  path: string,
  deadlineMs: number,
): Promise<void> {
  return client.delete(path, ANY_VERSION, deadlineMs);
}

/** Reads an entry, and has `onChange` called once when it comes, changes or goes. */
export async function readWatched(
  client: ZookeeperClient,
  path: string,
  deadlineMs: number,
  onChange: () => void,
): Promise<Entry | undefined> {
  return await watched(client, path, deadlineMs, onChange, undefined, async () => {
    return entryOfNode(await client.read(path, deadlineMs, onChange));
  });
}

/** Reads the names of children, and has `onChange` called once when one comes or goes. */
export async function childrenWatched(
  client: ZookeeperClient,
  path: string,
  deadlineMs: number,
  onChange: () => void,
): Promise<readonly string[]> {
  return await watched<readonly string[]>(client, path, deadlineMs, onChange, [], async () => {
    return (await client.children(path, deadlineMs, onChange)).sort();
  });
}

/** ZooKeeper watches what is there by reading it, and what is not there by asking for it. */
async function watched<T>(
  client: ZookeeperClient,
  path: string,
  deadlineMs: number,
  onChange: () => void,
  absent: T,
  readOnce: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await readOnce();
    } catch (error) {
      if (!isCode(error, "NO_NODE")) throw error;
    }
    if (await client.stat(path, deadlineMs, onChange) === null) return absent;
  }
}
