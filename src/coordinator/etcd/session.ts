/**
 * A session with etcd: a lease that is kept alive, and replaced when it has ended.
 *
 *     connecting ── granted ──► connected ── no endpoint answers ──► disconnected
 *         ▲                        ▲                                      │
 *         │                        └───────── still alive ◄───────────────┤
 *         └───────── expired ◄──────────────── gone ◄─────────────────────┘
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import type { CoordinatorState } from "../coordinator.ts";
import { type EtcdClient, EtcdError } from "./client.ts";

/** Times between two signs of life, as a share of the lease's time. */
const KEEP_ALIVE_SHARE = 1 / 3;

/** Waits before etcd is asked again when no endpoint answered. */
const RETRY = { firstMs: 50, maxMs: 1_000 };

/** How long giving the lease back may take at the end. */
const REVOKE_MS = 1_000;

/** What happens to a session. */
export interface EtcdSessionEvents {
  onState(state: CoordinatorState): void;
  /** User, password or rights are not what etcd wants; it is asked again nevertheless. */
  onDenied(): void;
}

const log = logger("coordinator");

/** See the header. */
export class EtcdSession {
  readonly #client: EtcdClient;
  readonly #timeoutMs: number;
  readonly #events: EtcdSessionEvents;
  #state: CoordinatorState = "connecting";
  #lease: string | undefined;
  #running: Promise<void> = Promise.resolve();
  #pausing = new AbortController();

  /**
   * Asks for nothing yet.
   *
   * @param timeoutMs Time after which a lost session ends; etcd counts in whole seconds.
   */
  constructor(client: EtcdClient, timeoutMs: number, events: EtcdSessionEvents) {
    this.#client = client;
    this.#timeoutMs = Math.max(1, Math.ceil(timeoutMs / 1_000)) * 1_000;
    this.#events = events;
  }

  /** Where the session stands. */
  get state(): CoordinatorState {
    return this.#state;
  }

  /** What ephemeral entries end with; none while there is no session. */
  get lease(): string | undefined {
    return this.#lease;
  }

  /** Begins to ask for a lease, and to keep it alive. */
  start(): void {
    this.#running = this.#run();
  }

  /** No endpoint has answered a call. */
  lose(): void {
    if (this.#state === "connected") this.#move("disconnected");
    this.check();
  }

  /** Asks etcd for the lease now. */
  check(): void {
    this.#pausing.abort();
  }

  /** Gives the lease back, if etcd can be reached at once: all that was ephemeral is gone. */
  async close(): Promise<void> {
    const isReached = this.#state === "connected";
    this.#state = "closed";
    this.check();
    if (isReached && this.#lease !== undefined) {
      const deadlineMs = performance.now() + REVOKE_MS;
      await this.#client.call("/v3/lease/revoke", { ID: this.#lease }, deadlineMs, true)
        .catch((error) =>
          log.warn("lease not given back, it will expire by itself: {error}", { error })
        );
    }
    this.#lease = undefined;
  }

  /** Settles when nothing is asked any more; after `close` of the session and of its client. */
  async ended(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(RETRY);
    const pauseMs = this.#timeoutMs * KEEP_ALIVE_SHARE;
    while (this.#state !== "closed") {
      try {
        if (this.#lease === undefined) await this.#grant();
        else if (!await this.#keepAlive()) continue;
        backoff.reset();
        await this.#pause(pauseMs);
      } catch (error) {
        this.#seeFailure(error);
        await this.#pause(Math.min(pauseMs, backoff.nextMs()));
      }
    }
  }

  async #grant(): Promise<void> {
    const body = { TTL: `${this.#timeoutMs / 1_000}` };
    const { ID } = await this.#ask<{ ID: string }>("/v3/lease/grant", body);
    if (this.#isClosed()) return;
    this.#lease = ID;
    this.#move("connected");
    log.info("session with etcd, timeout {timeoutMs} ms", { timeoutMs: this.#timeoutMs });
  }

  /** Whether the lease was still there. */
  async #keepAlive(): Promise<boolean> {
    const answer = await this.#ask<{ TTL?: string }>("/v3/lease/keepalive", { ID: this.#lease });
    if (this.#isClosed()) return true;
    if (Number(answer.TTL ?? 0) > 0) {
      if (this.#state !== "connected") {
        this.#move("connected");
        log.info("connected to etcd again");
      }
      return true;
    }
    log.warn("session with etcd expired");
    this.#lease = undefined;
    this.#move("expired");
    this.#move("connecting");
    return false;
  }

  async #ask<T>(path: string, body: unknown): Promise<T> {
    const deadlineMs = performance.now() + this.#timeoutMs * KEEP_ALIVE_SHARE;
    return await this.#client.call<T>(path, body, deadlineMs, true);
  }

  #seeFailure(error: unknown): void {
    if (this.#isClosed()) return;
    if (error instanceof EtcdError && error.kind === "denied") {
      log.error("etcd refuses our user, password or rights: {error}", { error });
      this.#events.onDenied();
    }
    if (this.#state === "connected") this.#move("disconnected");
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #pause(ms: number): Promise<void> {
    if (this.#isClosed()) return Promise.resolve();
    this.#pausing = new AbortController();
    return sleep(ms, this.#pausing.signal);
  }

  #move(next: CoordinatorState): void {
    if (next === "disconnected") {
      log.warn(
        "etcd cannot be reached: {problem}; what is known stays in use, nothing can be changed: look " +
          "at etcd and the network to it",
        { problem: this.#client.problem },
      );
    }
    this.#state = next;
    this.#events.onState(next);
  }
}
