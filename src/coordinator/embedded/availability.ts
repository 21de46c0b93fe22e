/**
 * Whether the files of the embedded coordinator can be used, for listeners and in the log.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import type { ObservedState } from "../observed_state.ts";

const log = logger("coordinator");

/** Changes the state of a coordinator that is opened, and says why in the log. */
export class Availability {
  readonly #state: ObservedState;
  /** Why the files cannot be used; `""`: they can. */
  #reason = "";

  /** Changes `state`. */
  constructor(state: ObservedState) {
    this.#state = state;
  }

  /** They cannot be used; each reason is logged once. */
  lost(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason !== this.#reason) {
      log.error(
        "embedded_dir cannot be used: {reason}; what is known stays in use, nothing can be changed",
        { reason },
      );
    }
    this.#reason = reason;
    if (this.#state.now === "connected") this.#state.change("disconnected");
  }

  /**
   * They can be used.
   *
   * @param isOther Whether they hold another tree. As with servers that come back with other data, everybody who
   * listens looks at what is there.
   */
  found(isOther: boolean): void {
    if (this.#reason !== "") log.info("embedded_dir can be used again");
    this.#reason = "";
    if (isOther && this.#state.now === "connected") this.#state.change("disconnected");
    if (this.#state.now === "disconnected") this.#state.change("connected");
  }
}
