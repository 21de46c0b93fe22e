/**
 * The ids that XREAD's `$` stands for, which must mean the same wherever the command is asked again.
 *
 * @module
 */

import { encodeRequest } from "../../resp/encoder.ts";
import type { Link } from "../backends/link.ts";
import { type BlockForm, lastIdOf, type NewEntries } from "./block_form.ts";

/** What most commands have; never changed. */
const NO_ENTRIES: Set<NewEntries> = new Set();

/** The `$` of one command, which become ids; see the header. */
export class LastIds {
  readonly #form: BlockForm;
  readonly #unknown: Set<NewEntries>;

  constructor(form: BlockForm) {
    this.#form = form;
    const { newEntries } = form;
    this.#unknown = newEntries.length === 0 ? NO_ENTRIES : new Set(newEntries);
  }

  /** Whether the command has no `$` any more. */
  get areKnown(): boolean {
    return this.#unknown.size === 0;
  }

  /**
   * Asks the server, right before it is asked the command: it executes what comes in one piece without anything between.
   *
   * @param answered Called for each `$` when the server has answered, or is lost.
   */
  learn(link: Link, answered: () => void): void {
    for (const stream of this.#unknown) {
      link.ask(encodeRequest(["XINFO", "STREAM", stream.key]), (text) => {
        answered();
        const id = lastIdOf(text);
        if (id === null) return; // XREAD has the same error, or must not be asked again
        this.#form.putId(stream, id);
        this.#unknown.delete(stream);
      });
    }
  }
}
