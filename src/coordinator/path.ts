/**
 * Paths of entries: `/a/b/c`, pieces of any text without `/`.
 *
 * @module
 */

/** The entry that is always there. */
export const ROOT_PATH = "/";

/** Longest path, in UTF-16 units; far above anything stored, far below any coordinator's limit. */
const PATH_LENGTH_MAX = 4096;

/** Pieces that are not empty, have no control characters, and are neither `.` nor `..`. */
// deno-lint-ignore no-control-regex
const PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\x00-\x1f\x7f-\x9f]+)+$/;

/**
 * Checks a path where it enters a coordinator.
 *
 * @throws {TypeError} When it is not absolute, has an empty piece, `.`, `..` or a control character
 * (ZooKeeper allows none of these), or is too long.
 */
export function checkPath(path: string): void {
  if (path === ROOT_PATH) return;
  if (!PATH.test(path) || path.length > PATH_LENGTH_MAX) {
    throw new TypeError(`bad path ${JSON.stringify(path.slice(0, 200))}`);
  }
}

/** The path of the entry that holds this one; of the root, the root. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? ROOT_PATH : path.slice(0, slash);
}

/** The last piece of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path of a child. */
export function childOf(path: string, name: string): string {
  return path === ROOT_PATH ? `/${name}` : `${path}/${name}`;
}
