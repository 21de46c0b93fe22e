/**
 * A coordinator that can be exchanged for another one while a process works with it.
 *
 *     calls, watches ──► old │ new        switchTo(new): to everybody above it looks as if the session had expired,
 *                                         and the servers had been given other data
 *
 * What was read in the old store does not count in the new one: a version that comes from the old one is never
 * that of an entry of the new one, whatever numbers the two give.
 *
 * @module
 */

import type {
  Coordinator,
  CoordinatorState,
  CreateOptions,
  Entry,
  EntryKind,
  HeldLock,
  LockOptions,
  Operation,
} from "./coordinator.ts";
import { BadVersionError, ClosedError, ConnectionLossError } from "./errors.ts";
import { ObservedState } from "./observed_state.ts";
import { subjectOf } from "./operation.ts";
import { readFolder } from "./read_folder.ts";
import { LatestWatch, type Watch } from "./watch.ts";

/** More than any version that a coordinator gives. */
const VERSIONS = 2 ** 42;

/** A watch that goes on in another coordinator. */
interface Switched {
  /** Goes on there; what was not read yet of the one before is forgotten. */
  attach(coordinator: Coordinator, moves: number): void;
  close(): void;
}

/** See the header. Closing it closes the one that is in use. */
export class SwitchingCoordinator implements Coordinator {
  readonly #state: ObservedState;
  readonly #watches = new Set<Switched>();
  #current: Coordinator;
  #moves = 0;
  #unlisten: () => void;

  /** Takes `first`. */
  constructor(first: Coordinator) {
    this.#current = first;
    this.#state = new ObservedState(first.state);
    this.#unlisten = this.#listen();
  }

  /** The one that is in use. */
  get current(): Coordinator {
    return this.#current;
  }

  get moves(): number {
    return this.#moves;
  }

  get state(): CoordinatorState {
    return this.#state.now;
  }

  get writeProblem(): string {
    return this.#current.writeProblem ?? "";
  }

  onState(listener: (state: CoordinatorState) => void): () => void {
    return this.#state.onChange(listener);
  }

  /** Uses another one from now on, and takes it; resolves when the session with the one before has ended. */
  async switchTo(next: Coordinator): Promise<void> {
    if (this.#state.isClosed) return await next.close();
    const old = this.#current;
    this.#unlisten();
    this.#current = next;
    this.#moves++;
    this.#state.change("expired");
    for (const watch of this.#watches) watch.attach(next, this.#moves);
    this.#state.change(next.state);
    this.#unlisten = this.#listen();
    await old.close();
  }

  #listen(): () => void {
    return this.#current.onState((state) => this.#state.change(state));
  }

  // -- calls --

  create(
    path: string,
    data: string,
    kind?: EntryKind,
    options?: CreateOptions,
  ): Promise<string> {
    return this.#call(path, "create", (current) => current.create(path, data, kind, options));
  }

  read(path: string): Promise<Entry> {
    const moves = this.#moves;
    return this.#call(path, "read", async (current) => outer(await current.read(path), moves));
  }

  write(path: string, data: string, version?: number): Promise<number> {
    const moves = this.#moves;
    return this.#call(path, "write", async (current) => {
      const inner = this.#inner(path, "write", version);
      return await current.write(path, data, inner) + moves * VERSIONS;
    });
  }

  adopt(path: string, data: string, version?: number): Promise<void> {
    return this.#call(
      path,
      "write",
      (current) => current.adopt(path, data, this.#inner(path, "write", version)),
    );
  }

  delete(path: string, version?: number): Promise<void> {
    return this.#call(
      path,
      "delete",
      (current) => current.delete(path, this.#inner(path, "delete", version)),
    );
  }

  transact(operations: readonly Operation[]): Promise<void> {
    const { path, verb } = operations[0] === undefined
      ? { path: "/", verb: "check" }
      : subjectOf(operations[0]);
    return this.#call(path, verb, (current) =>
      current.transact(operations.map((operation) => {
        if (!("version" in operation) || operation.version === undefined) return operation;
        const subject = subjectOf(operation);
        return {
          ...operation,
          version: this.#inner(subject.path, subject.verb, operation.version)!,
        };
      })));
  }

  deleteTree(path: string): Promise<void> {
    return this.#call(path, "delete", (current) => current.deleteTree(path));
  }

  children(path: string): Promise<string[]> {
    return this.#call(path, "read", (current) => current.children(path));
  }

  readFolder(path: string): Promise<ReadonlyMap<string, string>> {
    return this.#call(path, "read", (current) => readFolder(current, path));
  }

  async lock(path: string, options: LockOptions): Promise<HeldLock> {
    const held = await this.#call(path, "lock", (current) => current.lock(path, options));
    return {
      path: held.path,
      release: async () => {
        try {
          await held.release();
        } catch (error) {
          // It ended with its session.
          if (!(error instanceof ClosedError)) throw error;
        }
      },
    };
  }

  async close(): Promise<void> {
    if (this.#state.isClosed) return;
    await this.#current.close();
    for (const watch of [...this.#watches]) watch.close();
  }

  /** Begins a call with the coordinator of this moment. */
  async #call<T>(
    path: string,
    verb: string,
    body: (current: Coordinator) => Promise<T>,
  ): Promise<T> {
    try {
      return await body(this.#current);
    } catch (error) {
      if (!(error instanceof ClosedError) || this.#state.isClosed) throw error;
      const message = `cannot ${verb} "${path}": the product goes to another coordinator`;
      throw new ConnectionLossError(path, message, { cause: error });
    }
  }

  /** A version as the one in use knows it. */
  #inner(path: string, verb: string, version: number | undefined): number | undefined {
    if (version === undefined) return undefined;
    const first = this.#moves * VERSIONS;
    if (version < first) throw new BadVersionError(path, verb, version, first);
    return version - first;
  }

  // -- watches --

  watchData(path: string): Watch<Entry | undefined> {
    return this.#watch(
      (current) => current.watchData(path),
      (entry, moves) => entry === undefined ? undefined : outer(entry, moves),
    );
  }

  watchChildren(path: string): Watch<readonly string[]> {
    return this.#watch((current) => current.watchChildren(path), (names) => names);
  }

  #watch<T>(
    open: (current: Coordinator) => Watch<T>,
    seen: (value: T, moves: number) => T,
  ): Watch<T> {
    let inner: Watch<T>;
    const watch = new LatestWatch<T>(() => {
      this.#watches.delete(switched);
      inner.close();
    });
    const pass = async (from: Watch<T>, moves: number) => {
      for await (const value of from) {
        if (from !== inner) return;
        watch.push(seen(value, moves));
      }
      // It ends with its coordinator only.
      if (from === inner) watch.close();
    };
    const switched: Switched = {
      attach: (coordinator, moves) => {
        const before = inner;
        inner = open(coordinator);
        before.close();
        watch.forget();
        pass(inner, moves);
      },
      close: () => watch.close(),
    };
    inner = open(this.#current);
    this.#watches.add(switched);
    pass(inner, this.#moves);
    return watch;
  }
}

function outer({ data, version }: Entry, moves: number): Entry {
  return { data, version: version + moves * VERSIONS };
}
