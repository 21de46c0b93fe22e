/**
 * Where outages go: into the log at WARN, and onto the page.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { repeat } from "../../base/repeat.ts";
import type { Events } from "../../control/events.ts";
import { outageLine, type OutageReport, Outages, type OutageSink } from "../../control/outages.ts";

/** How often it is looked what has become due, in milliseconds. */
const ROUND_MS = 1_000;

const log = logger("outage");

/** See the header. */
export class OutageTrail {
  readonly #events: Events;
  readonly #outages: Outages = new Outages((event, isNew) => this.#take(event, isNew));
  #end = () => {};

  /** @param events The list of the page. */
  constructor(events: Events) {
    this.#events = events;
  }

  /** Takes a report. */
  report(report: OutageReport): void {
    this.#outages.report(report);
  }

  /** Starts to tell what becomes due with time. */
  start(): void {
    this.#end = repeat(ROUND_MS, () => this.#outages.round());
  }

  /** Stops. */
  stop(): void {
    this.#end();
  }

  #take(event: Parameters<OutageSink>[0], isNew: boolean): void {
    if (!isNew) return;
    const line = outageLine(event);
    log.warn("{line}", { line });
    this.#events.add(event.severity, line);
  }
}
