/**
 * The entry by which Jodis clients of Codis 3.x find this proxy, in their ZooKeeper or etcd; byte for byte as
 * Codis 3.2's proxies write it.
 *
 *     show ──► created ──► there ──┐
 *                 ▲                │ gone: the session has expired, somebody deleted it
 *                 └────────────────┘
 *     hide ──► deleted
 *     stop ──► the session ends, and with it the entry
 *
 * Each process has an entry of its own. So during an upgrade there are two with the same address, and clients
 * are never without one; were there one that changes hands, Jodis would drop the proxy for a moment. Nor does a
 * process that is started again wait for the entry of one that was killed.
 *
 * A place that cannot be reached keeps the proxy from nothing: it is tried again until it can.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { Turns } from "../../base/turns.ts";
import type { EphemeralPlace } from "../../coordinator/ephemeral_place.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import { retry } from "./retry.ts";

/** Where the entry is, and what it says. */
export interface JodisEntryText {
  readonly path: string;
  readonly data: string;
}

/**
 * The entry of a proxy.
 *
 * @param token 32 hexadecimal digits; another process has another one.
 * @param isCompatible Whether it is where Codis 2.0's proxies are found (3.2's `jodis_compatible`).
 */
export function jodisEntryOf(
  product: string,
  { addr, debug_var_addr: admin, start_at: start }: ProxyRecord,
  token: string,
  isCompatible: boolean,
): JodisEntryText {
  const path = isCompatible
    ? `/zk/codis/db_${product}/proxy/${token}`
    : `/jodis/${product}/proxy-${token}`;
  return { path, data: JSON.stringify({ addr, admin, start, state: "online", token }, null, 4) };
}

/** What an entry needs. */
export interface JodisEntryOptions {
  /**
   * Opens the place that the clients read; rejects when it cannot be reached now.
   *
   * @param gone Called when the entry has gone by itself.
   */
  open(signal: AbortSignal, gone: () => void): Promise<EphemeralPlace>;
  /** The entry as it shall be; asked when it is made. */
  text(): JodisEntryText;
  readonly timers?: Timers;
}

const log = logger("proxy");

/** See the header. */
export class JodisEntry {
  readonly #options: JodisEntryOptions;
  readonly #stopping = new AbortController();
  #place: EphemeralPlace | undefined;
  #opening: Promise<void> | undefined;
  #isWanted = false;
  /** In doubt: it may have been made, but the answer was lost. */
  #state: "not there" | "in doubt" | "there" = "not there";
  readonly #turns = new Turns(1);

  /** Opens nothing before it is shown. */
  constructor(options: JodisEntryOptions) {
    this.#options = options;
  }

  /** Clients shall find the proxy from now on; resolves when they do, or it is stopped. */
  show(): Promise<void> {
    this.#isWanted = true;
    return this.#settle();
  }

  /** Clients shall not find it any more; resolves when they do not, or it is stopped. */
  hide(): Promise<void> {
    this.#isWanted = false;
    return this.#settle();
  }

  /** Ends the session. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#opening;
    await this.#place?.close();
  }

  /** Makes it as it shall be, one change after the other. */
  async #settle(): Promise<void> {
    const { signal } = this.#stopping;
    const timers = this.#options.timers ?? SYSTEM_TIMERS;
    let logged = "";
    const onFailure = (error: unknown) => {
      if (`${error}` !== logged) log.warn("the entry for Jodis waits: {error}", { error });
      logged = `${error}`;
    };
    await this.#turns.take(() => retry(() => this.#change(), onFailure, { signal, timers }));
  }

  async #change(): Promise<void> {
    if (this.#state === (this.#isWanted ? "there" : "not there")) return;
    await this.#open();
    const { path, data } = this.#options.text();
    if (this.#isWanted) {
      this.#state = "in doubt";
      await this.#place!.put(path, data);
      log.info("Jodis clients find this proxy at {path}", { path });
      this.#state = "there";
    } else {
      await this.#place!.delete(path);
      log.info("Jodis clients do not find this proxy any more: {path} is removed", { path });
      this.#state = "not there";
    }
  }

  async #open(): Promise<void> {
    if (this.#place !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#opening = promise;
    try {
      this.#place = await this.#options.open(this.#stopping.signal, () => this.#gone());
    } finally {
      resolve();
    }
  }

  /** Makes it again. */
  #gone(): void {
    if (this.#state !== "there" || this.#stopping.signal.aborted) return;
    this.#state = "not there";
    this.#settle();
  }
}
