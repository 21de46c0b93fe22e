/**
 * Scripts that a source replicates as text, as servers before Redis 5 do: whether they may use keys that they do
 * not declare.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { namesItsKeys, undeclaredAccess } from "../../command/script_text.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";

/** What the text of a script shows. */
interface ScriptFacts {
  /** Whether it touches no key at all. */
  readonly isKeyless: boolean;
  /** Whether it surely uses no other keys than those that it declares. */
  readonly namesItsKeys: boolean;
}

/** More texts than that are made for each call: they are not kept. */
const SCRIPTS_MAX = 1_000;

/** See the header. A source sends the text of each script before it calls it by its hash. */
export class ReplicatedScripts {
  readonly #bySha = new Map<string, ScriptFacts>();
  /** By text: hashing all of it each time takes longer. */
  readonly #byText = new Map<string, ScriptFacts>();

  /** The facts of the script that an EVAL or EVALSHA calls; undefined: its text has not come. Borrows the request. */
  of(request: RequestParser): ScriptFacts | undefined {
    const [name, script] = [0, 1].map((place) =>
      latin1(request.bytes, request.start(place), request.end(place))
    ) as [string, string];
    if (/sha/i.test(name)) return this.#bySha.get(script.toLowerCase());
    return this.#byText.get(script) ?? this.#learn(script);
  }

  #learn(script: string): ScriptFacts {
    const facts = {
      isKeyless: undeclaredAccess(script) === "",
      namesItsKeys: namesItsKeys(script),
    };
    if (this.#byText.size >= SCRIPTS_MAX) {
      this.#byText.clear();
      this.#bySha.clear();
    }
    this.#byText.set(script, facts);
    this.#bySha.set(createHash("sha1").update(script, "latin1").digest("hex"), facts);
    return facts;
  }
}
