/**
 * What a proxy keeps at the coordinator: its entry, and the fence of its address.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import type { Entry } from "../../coordinator/coordinator.ts";
import { ClosedError, NodeExistsError, NoNodeError } from "../../coordinator/errors.ts";
import type { Watch } from "../../coordinator/watch.ts";
import { decodeProxy, encodeProxy, isSameLife, type ProxyRecord } from "../../model/proxy.ts";
import { encodeFenceNote } from "../../store/failover_rule.ts";
import { createFence, deleteFence, deleteFenceOf, loadFences } from "../../store/fences.ts";
import {
  adoptProxy,
  changeProxyLife,
  createProxy,
  deleteProxy,
  loadProxy,
  watchProxy,
} from "../../store/proxies.ts";
import type { Store } from "../../store/store.ts";
import type { OtherProcess } from "../upgrade/other_process.ts";

const log = logger("proxy");

/** Reads and writes both; every call throws a `CoordinatorError` when the coordinator cannot be asked. */
export class OwnEntry {
  /** The proxy as it is registered. */
  record: ProxyRecord;
  readonly store: Store;
  readonly #other: OtherProcess;
  /** Whose end proves the proxy's; see `setLife`. */
  #life: string;
  #hasFence = false;
  /** The fence that is being made, if one is. */
  #fencing: Promise<unknown> = Promise.resolve();
  #isRemoved = false;
  #stepsBack = false;

  /** Writes nothing yet; `other` is another process with the same entry, at times. */
  constructor(store: Store, record: ProxyRecord, other: OtherProcess) {
    this.store = store;
    this.record = record;
    this.#life = record.description;
    this.#other = other;
  }

  /** Whether our address is fenced by us, or may be. */
  get hasFence(): boolean {
    return this.#hasFence;
  }

  /**
   * Creates the entry, `offline`.
   *
   * @returns The record that was created; the caller keeps it once the proxy is registered.
   * @throws {NodeExistsError} When another process has the id.
   */
  async create(): Promise<ProxyRecord> {
    const record = { ...this.record, description: this.#life, state: "offline" } as const;
    try {
      await createProxy(this.store, record);
    } catch (error) {
      // An earlier try of ours may have succeeded without an answer.
      const entry = error instanceof NodeExistsError ? await this.load() : undefined;
      if (entry === undefined) throw error;
    }
    // Whose end proves ours has changed meanwhile, when there was no entry to say so in.
    if (record.description !== this.#life) await this.setLife(this.#life);
    return record;
  }

  /** Reads the entry; `undefined` when there is none of this life. */
  async load(): Promise<ProxyRecord | undefined> {
    const entry = await loadProxy(this.store, this.record.id);
    return entry !== undefined && isSameLife(entry, this.record) ? entry : undefined;
  }

  /**
   * What a changed entry says of us; `undefined` when it is gone, or of another life. One that cannot be read
   * counts as unchanged, and is written anew: nobody could tell us of a change, or ask how we see a server.
   */
  parse(entry: Entry | undefined): ProxyRecord | undefined {
    if (entry === undefined) return undefined;
    try {
      const record = decodeProxy(entry.data);
      return isSameLife(record, this.record) ? record : undefined;
    } catch (error) {
      log.error("own entry cannot be read, it is written anew: {error}", { error });
      void this.#writeAnew(entry.version);
      return this.record;
    }
  }

  async #writeAnew(version: number): Promise<void> {
    const { coordinator, paths } = this.store;
    const record = { ...this.record, description: this.#life };
    // Who has written it may have cut it off from our session, as any client of etcd does.
    const verb = this.#other.isThere ? "write" : "adopt";
    try {
      await coordinator[verb](paths.proxy(record.id), encodeProxy(record), version);
    } catch (error) {
      // It has changed since, which we are told; or the coordinator is away, which has it made anew.
      log.debug("own entry is not written anew: {error}", { error });
    }
  }

  /** Watches the entry. */
  watch(): Watch<Entry | undefined> {
    return watchProxy(this.store, this.record.id);
  }

  /** Watches the fence. */
  watchFence(): Watch<Entry | undefined> {
    const { coordinator, paths } = this.store;
    return coordinator.watchData(paths.fence(this.record.addr));
  }

  /**
   * Fences our address.
   *
   * @returns Whether it was not fenced before.
   * @throws {ClosedError} When our fence was removed for good.
   */
  fence(): Promise<boolean> {
    const { addr } = this.record;
    if (this.#isRemoved) {
      return Promise.reject(new ClosedError(this.store.paths.fence(addr), "create"));
    }
    this.#hasFence = true;
    const making = createFence(this.store, addr, encodeFenceNote(this.#life, this.#stepsBack));
    this.#fencing = Promise.allSettled([this.#fencing, making]);
    return making;
  }

  /** Notes in our fence that we follow the rule of failovers, from now on whenever it is made. */
  async noteRule(): Promise<void> {
    if (this.#stepsBack) return;
    await this.#note(true);
    this.#stepsBack = true;
  }

  /**
   * Says in entry and fence whose end proves the proxy's, now and whenever they are made; `""`: nobody's alone.
   * With a life, which is ours, the entry becomes ours, too, if it is not.
   */
  async setLife(life: string): Promise<void> {
    this.#life = life;
    const own = { ...this.record, description: life };
    await (life === "" ? changeProxyLife : adoptProxy)(this.store, own);
    await this.#note(this.#stepsBack);
  }

  /** Makes the entry ours, if there is one of this life: an older copy of the store has it of an earlier session. */
  async adopt(): Promise<void> {
    if (this.#other.isThere) return;
    await adoptProxy(this.store, { ...this.record, description: this.#life });
  }

  async #note(stepsBack: boolean): Promise<void> {
    if (!this.#hasFence) return;
    const path = this.store.paths.fence(this.record.addr);
    try {
      await this.store.coordinator.write(path, encodeFenceNote(this.#life, stepsBack));
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error; // made again soon
    }
  }

  /** Whether our address is fenced, by whomever. */
  async isFenced(): Promise<boolean> {
    return (await loadFences(this.store)).includes(this.record.addr);
  }

  /**
   * Removes a fence that {@linkcode OwnEntry.fence} has just made; one that was there before belongs to
   * another process, unless it was made by a call of ours that got no answer.
   */
  async removeNewFence(isMade: boolean): Promise<void> {
    const isOurs = (life: string) => isMade || (life !== "" && life === this.#life);
    await deleteFenceOf(this.store, this.record.addr, isOurs);
    this.#hasFence = false;
  }

  /**
   * Removes our fence while nothing is served.
   *
   * @returns Whether there is none of ours any more; it stays while another process may serve behind it.
   */
  async removeIdleFence(): Promise<boolean> {
    if (this.#other.isThere) return false;
    await this.#fencing;
    await deleteFence(this.store, this.record.addr);
    this.#hasFence = false;
    return true;
  }

  /**
   * Removes our fence, then our entry, for good. A fence that another process has left is not ours to remove; and
   * while another one may serve for this proxy, both stay for it. Who is left has both to remove, in the middle of
   * its start, too.
   */
  async remove(): Promise<void> {
    if (!this.#other.keepOut()) return;
    this.#isRemoved = true;
    // It would be there again behind us.
    await this.#fencing;
    if (this.#hasFence || this.#other.hasLeft) await deleteFence(this.store, this.record.addr);
    if (await this.load() !== undefined) await deleteProxy(this.store, this.record.id);
  }
}
