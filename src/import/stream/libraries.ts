/**
 * Scripts and functions that a source has loaded or deleted: every server of the product gets them, in their order. It
 * is waited for that once for all that come together, and before a script is called.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { utf8 } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { SentRequest } from "../target/request_batch.ts";
import { isLasting, refusal, REPEAT_DELAY_MS, REPEATED_MS, type Target } from "../target/target.ts";

/** Commands that call what was loaded. */
const CALLS: ReadonlySet<string> = new Set("evalsha evalsha_ro fcall fcall_ro".split(" "));

/** Whether a command may call what was loaded; `name` as in the command table. */
export function callsLoaded(name: string | undefined): boolean {
  return CALLS.has(name ?? "");
}

/** See the header. */
export class Libraries {
  #requests: Uint8Array[][] = [];

  /** Whether all of them are at the servers. */
  get isEmpty(): boolean {
    return this.#requests.length === 0;
  }

  /** Takes a request. */
  add(words: Uint8Array[]): void {
    replaceLibrary(words);
    this.#requests.push(words);
  }

  /**
   * Sends what has come, when all before is answered.
   *
   * @throws {RefusedError} When a server refuses a request for good, or for too long.
   */
  async send(target: Target): Promise<void> {
    await sendAnywhere(target, 0, this.#requests);
    this.#requests = [];
  }
}

/**
 * Sends requests that may be made twice in their order, as nothing else is under way, until all are answered well.
 *
 * @throws {RefusedError} When a server refuses one for good, or for too long.
 */
export async function sendAnywhere(
  target: Target,
  database: number,
  requests: readonly (readonly Uint8Array[])[],
): Promise<void> {
  const endMs = performance.now() + REPEATED_MS;
  for (;;) {
    for (const words of requests) {
      const batch = target.beginAnywhere(database).request(words.length);
      for (const word of words) batch.word(word);
    }
    const trouble = await target.takeTrouble();
    const failed = trouble.find((request) => request.error !== "" && !isHarmless(request));
    if (failed === undefined) return;
    if (isLasting(failed) || performance.now() > endMs) throw refusal(failed);
    await delay(REPEAT_DELAY_MS);
  }
}

/** Several sources may replicate the same library: the second one takes the place of the first. */
function replaceLibrary(words: Uint8Array[]): void {
  if (words.length !== 3 || latin1(words[0]!).toLowerCase() !== "function") return;
  const name = latin1(words[1]!).toLowerCase();
  if (name === "load") words.splice(2, 0, utf8("REPLACE"));
  if (name === "restore") words.push(utf8("REPLACE"));
}

/** A library or script that is not there cannot be deleted, and need not be. */
function isHarmless({ words, error }: SentRequest): boolean {
  const isDelete = words[1] !== undefined && latin1(words[1]).toLowerCase() === "delete";
  return isDelete && /not found/i.test(error ?? "");
}
