/**
 * Writes the steps of migrations, and knows when a change may be half made.
 *
 * @module
 */

import { StoreError } from "../store/store.ts";
import type { Control } from "../control/control.ts";
import { UnconfirmedError } from "../control/errors.ts";
import { changeOf, type ChangePart } from "./task.ts";

/** See the header. */
export class StepWriter {
  readonly control: Control;
  /** Whether a change may be half made, by us or by the dashboard that led before. */
  #isUncertain = true;

  constructor(control: Control) {
    this.control = control;
  }

  /**
   * Makes one change of several parts; without parts it makes none.
   *
   * @throws As `Control.change`.
   */
  async write(summary: string, parts: readonly ChangePart[]): Promise<void> {
    if (parts.length === 0) return;
    await this.#change(() => this.control.change(changeOf(summary, parts)));
  }

  /**
   * As {@linkcode StepWriter.write}, for changes that a proxy may miss without harm: a proxy that does not
   * confirm in time is marked offline, a proxy that cannot be reached goes on as it is.
   */
  async writeAnyway(summary: string, parts: readonly ChangePart[]): Promise<void> {
    if (parts.length === 0) return;
    try {
      await this.#change(() => this.control.change({ ...changeOf(summary, parts), mayMiss: true }));
    } catch (error) {
      if (!(error instanceof UnconfirmedError)) throw error;
    }
  }

  /**
   * Completes a change that is half made: only then does the store say what comes next.
   *
   * @param when `always` also checks that this dashboard still leads.
   * @throws As `Control.change`.
   */
  async settle(when: "if uncertain" | "always" = "if uncertain"): Promise<void> {
    if (!this.#isUncertain && when === "if uncertain") return;
    // A change that was started is completed before the next one is made, even before an empty one.
    await this.#change(() => this.control.change(changeOf("", [])));
    this.#isUncertain = false;
  }

  async #change(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      const isKnown = error instanceof StoreError || error instanceof UnconfirmedError;
      if (!isKnown) this.#isUncertain = true;
      throw error;
    }
  }
}
