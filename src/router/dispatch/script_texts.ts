/**
 * What the router knows of the texts of scripts and functions: whether they may touch keys that they do not
 * declare.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { namesItsKeys, undeclaredAccess } from "../../command/script_text.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { fieldOf, parseReply, type ReplyValue } from "../../resp/reply_value.ts";
import { askServer } from "../backends/question.ts";
import type { Master } from "../backends/server.ts";

/** Scripts that are remembered; then the one is forgotten that was seen first. */
const SCRIPTS_MAX = 10_000;
/** How long the code of functions is taken for what the servers have, in milliseconds. */
const FUNCTIONS_FRESH_MS = 1_000;

const LIST_FUNCTIONS = encodeRequest(["FUNCTION", "LIST", "WITHCODE"]);
const decoder = new TextDecoder();

/** What the text of a script tells, in plain values. */
export interface FoundInScript {
  /** What it does that only declared keys allow; empty for nothing. */
  readonly access: string;
  /** Whether it says that it does not write. */
  readonly isReadOnly: boolean;
  /** Whether it uses no key but those that it declares. */
  readonly namesItsKeys: boolean;
}

/** What one router knows of scripts and functions. */
export class ScriptTexts {
  /** By SHA, what a script does that only declared keys allow; empty for nothing. */
  readonly #scripts = new Map<string, string>();
  /** The same by the name of a function, in lower case as Redis looks it up. */
  #functions = new Map<string, string>();
  /** SHAs of scripts, and names of functions, that say that they do not write. */
  readonly #readOnly = new Set<string>();
  /** SHAs of scripts that use no key but those that they declare. */
  readonly #naming = new Set<string>();
  #readOnlyFunctions = new Set<string>();
  #functionsMs = -Infinity;
  #isAsking = false;
  readonly #waiting: (() => void)[] = [];
  readonly #tellOthers: (sha: string, found: FoundInScript) => void;

  /** @param tellOthers Tells the other workers what was found in a script. */
  constructor(tellOthers: (sha: string, found: FoundInScript) => void) {
    this.#tellOthers = tellOthers;
  }

  /** Looks at a script, if that has not been done yet. Borrows `text`. */
  learn(text: Uint8Array): string {
    const sha = createHash("sha1").update(text).digest("hex");
    const known = this.#scripts.get(sha);
    if (known !== undefined) return known;
    const found = {
      access: undeclaredAccess(decoder.decode(text)),
      isReadOnly: this.isReadOnlyText(text),
      namesItsKeys: namesItsKeys(decoder.decode(text)),
    };
    this.heard(sha, found);
    this.#tellOthers(sha, found);
    return found.access;
  }

  /** Another worker has looked at a script. */
  heard(sha: string, found: FoundInScript): void {
    if (this.#scripts.size >= SCRIPTS_MAX) {
      for (const oldest of this.#scripts.keys()) {
        this.#scripts.delete(oldest);
        this.#readOnly.delete(oldest);
        this.#naming.delete(oldest);
        break;
      }
    }
    this.#scripts.set(sha, found.access);
    if (found.isReadOnly) this.#readOnly.add(sha);
    if (found.namesItsKeys) this.#naming.add(sha);
  }

  /** What was found in a script; undefined when its text has not been seen. */
  script(sha: string): string | undefined {
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
    return this.#readOnly.has(sha.toLowerCase());
  }

  /** Whether the script of a SHA uses no key but those that it declares; false when it was not seen. */
  namesItsKeys(sha: string): boolean {
    return this.#naming.has(sha.toLowerCase());
  }

  /** Whether a function is registered as one that does not write; false when that is not known. */
  isReadOnlyFunction(name: string): boolean {
    return this.#readOnlyFunctions.has(name.toLowerCase());
  }

  /** What was found in the library of a function; undefined when no server has the function. */
  function(name: string): string | undefined {
    return this.#functions.get(name.toLowerCase());
  }

  /** The servers' functions change. */
  functionsChange(): void {
    this.#functionsMs = -Infinity;
  }

  /**
   * Makes sure that the functions are known as they were at most a second ago.
   *
   * @param known Called later when they had to be asked for.
   * @returns Whether they need not be asked for.
   */
  hasFunctions(master: Master, known: () => void): boolean {
    const now = performance.now();
    if (now - this.#functionsMs < FUNCTIONS_FRESH_MS) return true;
    if (this.#isAsking) {
      this.#waiting.push(known);
      return false;
    }
    this.#isAsking = true;
    this.#waiting.push(known);
    askServer(master.server.backend(0, 2), LIST_FUNCTIONS, (reply, isReply) => {
      // A server that does not tell will not run one either, but say why itself.
      if (isReply && !reply.startsWith("-")) {
        const libraries = listOf(parseReply(latin1Bytes(reply)));
        this.#functions = functionsOf(libraries);
        this.#readOnlyFunctions = readOnlyFunctions(libraries);
      }
      this.#functionsMs = performance.now();
      this.#isAsking = false;
      for (const each of this.#waiting.splice(0)) each();
    });
    return false;
  }
}

/** What the libraries of FUNCTION LIST WITHCODE do, by their functions' names. */
function functionsOf(libraries: readonly ReplyValue[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const library of libraries) {
    const access = undeclaredAccess(String(fieldOf(library, "library_code")));
    for (const each of listOf(fieldOf(library, "functions"))) {
      found.set(String(fieldOf(each, "name")).toLowerCase(), access);
    }
  }
  return found;
}

function readOnlyFunctions(libraries: readonly ReplyValue[]): Set<string> {
  const found = new Set<string>();
  for (const library of libraries) {
    for (const each of listOf(fieldOf(library, "functions"))) {
      if (!listOf(fieldOf(each, "flags")).map(String).includes("no-writes")) continue;
      found.add(String(fieldOf(each, "name")).toLowerCase());
    }
  }
  return found;
}

function listOf(value: ReplyValue | undefined): readonly ReplyValue[] {
  return Array.isArray(value) ? value : [];
}
