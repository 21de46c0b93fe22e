/**
 * Events: what the dashboard did and decided, for the log and the page.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { EventView } from "../api/cluster_view.ts";

/** Events that are kept. */
export const EVENTS_KEPT = 100;

const log = logger("dashboard");

/** The newest events. */
export class Events {
  readonly #events: EventView[] = [];

  /** The events, newest first. */
  get newest(): readonly EventView[] {
    return this.#events;
  }

  /** Writes one more. */
  report(level: EventView["level"], text: string): void {
    if (level === "info") log.info("{text}", { text });
    else if (level === "warning") log.warn("{text}", { text });
    else log.error("{text}", { text });
    this.add(level, text);
  }

  /** Adds one that the log has already. */
  add(level: EventView["level"], text: string): void {
    this.#events.unshift({ at: Date.now(), level, text });
    this.#events.length = Math.min(this.#events.length, EVENTS_KEPT);
  }
}
