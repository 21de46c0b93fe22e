/**
 * A store whose disk is full: reads are answered, changes are refused.
 *
 * @module
 */

import type { Coordinator } from "../../src/coordinator/coordinator.ts";
import { ConnectionLossError } from "../../src/coordinator/errors.ts";
import type { Store } from "../../src/store/store.ts";

const CHANGES: readonly PropertyKey[] = ["create", "write", "delete", "transact"];

/** A store, and its disk. */
interface FullStore extends Store {
  /** The disk has room again. */
  makeRoom(): void;
}

/** @param changesLeft How many more changes the disk has room for. */
export function fillingUp(store: Store, changesLeft: number): FullStore {
  let left = changesLeft;
  const coordinator = new Proxy(store.coordinator, {
    get(target: Coordinator, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (!CHANGES.includes(name)) return value.bind(target);
      return (path: string, ...rest: unknown[]) => {
        if (left-- > 0) return value.call(target, path, ...rest);
        const text = `cannot ${String(name)} "${path}": No space left on device (os error 28)`;
        return Promise.reject(new ConnectionLossError(path, text));
      };
    },
  });
  return { ...store, coordinator, makeRoom: () => void (left = Infinity) };
}
