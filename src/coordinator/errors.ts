/**
 * The ways in which a call to a coordinator fails, the same for every implementation.
 *
 * @module
 */

/** Common base; the message says which call failed, the path says on what. */
export class CoordinatorError extends Error {
  override readonly name: string = "CoordinatorError";
  /** The entry that the call was about. */
  readonly path: string;

  /** A call about `path` that failed for the reason in `message`. */
  constructor(path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/** The entry to create is there already. */
export class NodeExistsError extends CoordinatorError {
  override readonly name = "NodeExistsError";

  /** `path` was to be created. */
  constructor(path: string) {
    super(path, `cannot create "${path}": it exists already`);
  }
}

/** The entry is not there. */
export class NoNodeError extends CoordinatorError {
  override readonly name = "NoNodeError";

  /** `path` was to be read, written or deleted; `verb` says which. */
  constructor(path: string, verb: string) {
    super(path, `cannot ${verb} "${path}": it does not exist`);
  }
}

/** The entry has children and was to be deleted alone. */
export class NotEmptyError extends CoordinatorError {
  override readonly name = "NotEmptyError";

  /** `path` was to be deleted. */
  constructor(path: string) {
    super(path, `cannot delete "${path}": it has children`);
  }
}

/** The entry has another version than the caller named: another writer was faster. */
export class BadVersionError extends CoordinatorError {
  override readonly name = "BadVersionError";

  /** `path` was to be written or deleted at `wanted` and is at `actual`. */
  constructor(path: string, verb: string, wanted: number, actual: number) {
    super(path, `cannot ${verb} "${path}" at version ${wanted}: it is at version ${actual}`);
  }
}

/**
 * No answer came: the coordinator cannot be reached, or not before the call's deadline. Whether the
 * call took effect is unknown.
 */
export class ConnectionLossError extends CoordinatorError {
  override readonly name = "ConnectionLossError";
}

/** The coordinator was closed by its owner before the call, or during it. */
export class ClosedError extends CoordinatorError {
  override readonly name = "ClosedError";

  /** A call about `path`. */
  constructor(path: string, verb: string) {
    super(path, `cannot ${verb} "${path}": the coordinator is closed`);
  }
}

/** The lock was not free, or did not become free in time. */
export class LockTimeoutError extends CoordinatorError {
  override readonly name = "LockTimeoutError";
}
