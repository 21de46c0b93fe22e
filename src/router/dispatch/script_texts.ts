/**
 * What the router knows of the texts of scripts and functions: whether they may touch keys that they do not
 * declare.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  callsOf,
  namesItsKeys,
  type ScriptCalls,
  undeclaredAccess,
} from "../../command/script_text.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { fieldOf, parseReply, type ReplyValue } from "../../resp/reply_value.ts";
import { askServer } from "../backends/question.ts";
import type { Master } from "../backends/server.ts";

/** Scripts that are remembered; then the one is forgotten that was seen first. */
const SCRIPTS_MAX = 10_000;
/** How long the code of functions is taken for what the servers have, in milliseconds. */
const FUNCTIONS_FRESH_MS = 1_000;
/** The same when a function is called that was not among them: it may just have been loaded. */
const UNKNOWN_FRESH_MS = 100;

const LIST_FUNCTIONS = encodeRequest(["FUNCTION", "LIST", "WITHCODE"]);
const decoder = new TextDecoder();

/** What the text of a script tells, in plain values. */
export interface FoundInScript extends ScriptCalls {
  /** What it does that only declared keys allow; empty for nothing. */
  readonly access: string;
  /** Whether it says that it does not write. */
  readonly isReadOnly: boolean;
  /** Whether it uses no key but those that it declares. */
  readonly namesItsKeys: boolean;
}

/** What one router knows of scripts and functions. */
export class ScriptTexts {
  /** By SHA. */
  readonly #scripts = new Map<string, FoundInScript>();
  /** By the name of a function, in lower case as Redis looks it up. */
  #functions = new Map<string, FoundInScript>();
  #functionsMs = -Infinity;
  /** Whether the last question about the functions was answered. */
  knowsFunctions = false;
  #isAsking = false;
  readonly #waiting: (() => void)[] = [];
  readonly #tellOthers: (sha: string, found: FoundInScript) => void;

  /** @param tellOthers Tells the other workers what was found in a script. */
  constructor(tellOthers: (sha: string, found: FoundInScript) => void) {
    this.#tellOthers = tellOthers;
  }

  /** Looks at a script, if that has not been done yet. Borrows `text`. */
  learn(text: Uint8Array): FoundInScript {
    const sha = createHash("sha1").update(text).digest("hex");
    const known = this.#scripts.get(sha);
    if (known !== undefined) return known;
    const script = decoder.decode(text);
    const found = {
      ...callsOf(script),
      access: undeclaredAccess(script),
      isReadOnly: this.isReadOnlyText(text),
      namesItsKeys: namesItsKeys(script),
    };
    this.heard(sha, found);
    this.#tellOthers(sha, found);
    return found;
  }

  /** Another worker has looked at a script. */
  heard(sha: string, found: FoundInScript): void {
    if (this.#scripts.size >= SCRIPTS_MAX) {
      for (const oldest of this.#scripts.keys()) {
        this.#scripts.delete(oldest);
        break;
      }
    }
    this.#scripts.set(sha, found);
  }

  /** What was found in a script; undefined when its text has not been seen. */
  script(sha: string): FoundInScript | undefined {
    return this.#scripts.get(sha.toLowerCase());
  }

  /** Whether a script says in its first line that it does not write. Borrows `text`. */
  isReadOnlyText(text: Uint8Array): boolean {
    const end = text.indexOf(10);
    const line = decoder.decode(text.subarray(0, end < 0 ? text.length : end));
    return line.startsWith("#!") && /\sflags=(\S*,)?no-writes(,|\s|$)/.test(line);
  }

  /** Whether the script of a SHA does; false when its text has not been seen. */
  isReadOnly(sha: string): boolean {
    return this.script(sha)?.isReadOnly === true;
  }

  /** Whether the script of a SHA uses no key but those that it declares; false when it was not seen. */
  namesItsKeys(sha: string): boolean {
    return this.script(sha)?.namesItsKeys === true;
  }

  /** Whether a function is registered as one that does not write; false when that is not known. */
  isReadOnlyFunction(name: string): boolean {
    return this.function(name)?.isReadOnly === true;
  }

  /** What was found in the library of a function; undefined when no server has the function. */
  function(name: string): FoundInScript | undefined {
    return this.#functions.get(name.toLowerCase());
  }

  /** The servers' functions change. */
  functionsChange(): void {
    this.#functionsMs = -Infinity;
  }

  /**
   * Makes sure that the functions are known as they were at most a second ago.
   *
   * @param name The one that is called.
   * @param known Called later when they had to be asked for.
   * @returns Whether they need not be asked for.
   */
  hasFunctions(master: Master, name: string, known: () => void): boolean {
    const freshMs = this.function(name) === undefined ? UNKNOWN_FRESH_MS : FUNCTIONS_FRESH_MS;
    if (performance.now() - this.#functionsMs < freshMs) return true;
    if (this.#isAsking) {
      this.#waiting.push(known);
      return false;
    }
    this.#isAsking = true;
    this.#waiting.push(known);
    askServer(master.server.backend(0, 2), LIST_FUNCTIONS, (reply, isReply) => {
      // A server that does not tell will not run one either, but say why itself.
      this.knowsFunctions = isReply && !reply.startsWith("-");
      if (this.knowsFunctions) {
        this.#functions = functionsOf(listOf(parseReply(latin1Bytes(reply))));
      }
      this.#functionsMs = performance.now();
      this.#isAsking = false;
      for (const each of this.#waiting.splice(0)) each();
    });
    return false;
  }
}

/** What the libraries of FUNCTION LIST WITHCODE do, by their functions' names. */
function functionsOf(libraries: readonly ReplyValue[]): Map<string, FoundInScript> {
  const found = new Map<string, FoundInScript>();
  for (const library of libraries) {
    const code = String(fieldOf(library, "library_code"));
    const calls = callsOf(code);
    const access = undeclaredAccess(code);
    for (const each of listOf(fieldOf(library, "functions"))) {
      const isReadOnly = listOf(fieldOf(each, "flags")).map(String).includes("no-writes");
      // The keys of a function are an argument of it, whatever that is called.
      const namesItsKeys = false;
      const name = String(fieldOf(each, "name")).toLowerCase();
      found.set(name, { ...calls, access, isReadOnly, namesItsKeys });
    }
  }
  return found;
}

function listOf(value: ReplyValue | undefined): readonly ReplyValue[] {
  return Array.isArray(value) ? value : [];
}
