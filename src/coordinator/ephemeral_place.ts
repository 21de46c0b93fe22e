/**
 * A place for one entry that goes when its process does, and that other programs read.
 *
 *     put ──► there ──► gone, by itself: its owner is told, and puts it again
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { Coordinator } from "./coordinator.ts";
import { NodeExistsError, NoNodeError } from "./errors.ts";

const log = logger("coordinator");

/** See the header. Every call rejects when it has not worked, and may be made again. */
export interface EphemeralPlace {
  /** Makes the entry, or makes it ours. */
  put(path: string, data: string): Promise<void>;
  /** Deletes it; resolves also when it is not there. */
  delete(path: string): Promise<void>;
  /** Ends the session, and with it the entry. */
  close(): Promise<void>;
}

/** Such a place in a coordinator. */
export class CoordinatorPlace implements EphemeralPlace {
  readonly #coordinator: Coordinator;
  readonly #gone: () => void;
  #followed = "";

  /** `gone` is called when the entry has gone by itself. Takes `coordinator`. */
  constructor(coordinator: Coordinator, gone: () => void) {
    this.#coordinator = coordinator;
    this.#gone = gone;
  }

  async put(path: string, data: string): Promise<void> {
    try {
      await this.#coordinator.create(path, data, "ephemeral");
    } catch (error) {
      if (!(error instanceof NodeExistsError)) throw error;
      // An earlier try of ours has succeeded without an answer, perhaps in another session.
      await this.#coordinator.adopt(path, data);
    }
    if (this.#followed === path) return;
    this.#followed = path;
    this.#follow(path).catch((error) =>
      log.error("{path} is not followed: {error}", { path, error })
    );
  }

  async delete(path: string): Promise<void> {
    try {
      await this.#coordinator.delete(path);
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#coordinator.close();
  }

  async #follow(path: string): Promise<void> {
    for await (const entry of this.#coordinator.watchData(path)) {
      if (entry === undefined) this.#gone();
    }
  }
}
