/**
 * How a proxy lets its clients go.
 *
 *     begin ──► health check says 503 ── delay ──► accepts no more ──► clients go, each between two requests
 *                                                                          │ timeout, or hurry
 *                                       over ◄── closed ◄── bound ◄── the rest finish what is in flight
 *
 * During the delay it can be called off, unless two have asked for it.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import type { DataPlane } from "./workers/data_plane.ts";

/** Longest time that clients may take to finish what is in flight, in milliseconds. */
const FINISH_MS = 10_000;

const log = logger("proxy");

/** How long clients are given. */
export interface DrainTimes {
  /** How long clients are accepted although the health check says 503, in milliseconds. */
  readonly delayMs: number;
  /** How long clients may stay that are not between two requests, in milliseconds. */
  readonly timeoutMs: number;
}

/** What others do on the way. */
export interface DrainSteps {
  /** Called first. */
  readonly before?: () => void | Promise<void>;
  /** Called when clients are not accepted any more. */
  readonly accepted?: () => void | Promise<void>;
}

/** See the header. */
export class Drain {
  readonly #plane: DataPlane;
  readonly #hurry = new AbortController();
  #running: Promise<void> | undefined;
  #isOver = false;
  /** Calls it off; undefined when that cannot be any more. */
  #callOff: (() => void) | undefined;

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  /** Whether it has begun. */
  get hasBegun(): boolean {
    return this.#running !== undefined;
  }

  /** Whether no client is accepted any more, and none is left. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Waits for nobody any more: clients finish what is in flight, and no more. */
  hurry(): void {
    this.#hurry.abort();
  }

  /**
   * Lets all clients go; a second call waits for the first one.
   *
   * @returns When no client is left, or it was called off.
   */
  begin(times: DrainTimes, steps: DrainSteps = {}): Promise<void> {
    this.#callOff = undefined;
    return this.#running ??= this.#run(times, steps);
  }

  /** Lets nobody go after all; returns whether that can be. */
  callOff(): boolean {
    if (this.#callOff === undefined) return false;
    this.#callOff();
    this.#callOff = this.#running = undefined;
    return true;
  }

  async #run(
    { delayMs, timeoutMs }: DrainTimes,
    { before = () => {}, accepted = () => {} }: DrainSteps,
  ): Promise<void> {
    const { signal } = this.#hurry;
    await before();
    const off = new AbortController();
    this.#callOff = () => off.abort();
    await sleep(delayMs, AbortSignal.any([signal, off.signal]));
    if (off.signal.aborted) return;
    this.#callOff = undefined;
    await this.#plane.stopAccepting(!signal.aborted);
    await accepted();
    if (!signal.aborted) {
      log.info("letting clients go, the last ones in {seconds} s", { seconds: timeoutMs / 1000 });
      const ended = new AbortController();
      const hurried = sleep(2 * timeoutMs, AbortSignal.any([signal, ended.signal]));
      await Promise.race([this.#plane.leaveSessions(timeoutMs), hurried]);
      ended.abort();
    }
    await this.#plane.drainSessions(FINISH_MS);
    this.#isOver = true;
    log.info("no client is left");
  }
}
