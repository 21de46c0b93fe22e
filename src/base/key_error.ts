/**
 * A value of the configuration that can be read and cannot be used.
 *
 * @module
 */

import { excerpt } from "./excerpt.ts";

/** The message has key, value and reason; whoever knows where the key is set puts that before it. */
export class KeyError extends Error {
  override readonly name = "KeyError";
  readonly key: string;

  constructor(key: string, value: string, reason: string) {
    super(`${key} = "${excerpt(value)}": ${reason}`);
    this.key = key;
  }
}
