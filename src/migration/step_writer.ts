/**
 * Writes the steps of migrations, and knows when the store may not be what it seems.
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
  /** Whether a change may have been begun whose end we do not know, by us or by who led before. */
  #isUncertain = true;

  constructor(control: Control) {
    this.control = control;
  }

  /**
   * Makes one change of several parts; none makes no change.
   *
   * @throws As `Control.change`.
   */
  async write(summary: string, parts: readonly ChangePart[]): Promise<void> {
    if (parts.length === 0) return;
    await this.#change(() => this.control.change(changeOf(summary, parts)));
  }

  /**
   * As {@linkcode StepWriter.write}, where it does no harm that a proxy does not hear of it: one that was
   * told and has not confirmed in time is marked offline, one that cannot be told goes on as it is.
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
   * Sees to it that no change is half done: only then may be decided by what the store says.
   *
   * @param when Whether it is looked also when all is known: whether we still lead.
   * @throws As `Control.change`.
   */
  async settle(when: "if uncertain" | "always" = "if uncertain"): Promise<void> {
    if (!this.#isUncertain && when === "if uncertain") return;
    // A change that was begun is finished before the next one is made, even before an empty one.
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
