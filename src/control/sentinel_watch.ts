/**
 * One sentinel, followed: asked again and again which masters it sees, and at once when it says that it
 * has replaced one.
 *
 *     SUBSCRIBE +switch-master ── a message ──┐
 *                                             ▼
 *     every second ─────────────────► SENTINEL MASTERS, addresses ──► the last answer ──► onAnswer
 *
 * @module
 */

import type { SentinelView } from "../api/cluster_view.ts";
import { repeat } from "../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readMasters, type SentinelMaster, SWITCH_CHANNEL } from "../redis/sentinel.ts";

/** Time between two questions, in milliseconds. */
const ASK_MS = 1_000;

/** The problem of a sentinel before its first answer. */
const NOT_ASKED = "not asked yet";

/** What a watch works with. */
export interface SentinelWatchContext {
  /**
   * Connects to a sentinel.
   *
   * @param onMessage Takes what channels say that were subscribed to.
   */
  open(addr: string, onMessage?: (text: string) => void): Promise<RedisConnection>;
  /** The group of a master by its name; undefined: it is not ours. */
  groupOf(name: string): number | undefined;
  /** The sentinel has answered, or has failed to. */
  onAnswer(): void;
}

/** See the header. */
export class SentinelWatch {
  readonly addr: string;
  readonly #context: SentinelWatchContext;
  readonly #timers: Timers;
  readonly #end: () => void;
  #asking: RedisConnection | undefined;
  #listening: RedisConnection | undefined;
  #masters: ReadonlyMap<number, SentinelMaster> | undefined;
  #problem = NOT_ASKED;
  #downSinceMs: number;
  /** The question that is under way. */
  #asked: Promise<void> | undefined;
  /** Whether it must be asked again after that. */
  #isDue = false;
  #isClosed = false;

  /** Asks for the first time at once. */
  constructor(addr: string, context: SentinelWatchContext, timers: Timers = SYSTEM_TIMERS) {
    this.addr = addr;
    this.#context = context;
    this.#timers = timers;
    this.#downSinceMs = timers.nowMs();
    this.#end = repeat(ASK_MS, () => this.ask(), timers);
    void this.ask();
  }

  /** The masters that it watches, by group; undefined while it does not answer. */
  get masters(): ReadonlyMap<number, SentinelMaster> | undefined {
    return this.#masters;
  }

  /** Whether it was asked and has not answered. */
  get isSilent(): boolean {
    return this.#masters === undefined && this.#problem !== NOT_ASKED;
  }

  /** Why it does not answer; `""` while it does. */
  get problem(): string {
    return this.#problem;
  }

  /** For how long it has not answered, in milliseconds; 0 while it does. */
  get downMs(): number {
    return this.#masters === undefined ? this.#timers.nowMs() - this.#downSinceMs : 0;
  }

  /** For the page. */
  view(): SentinelView {
    const masters = [...this.#masters ?? []].map(([groupId, master]) => ({
      group_id: groupId,
      addr: master.addr,
      config_epoch: master.configEpoch,
      flags: master.flags.filter((flag) => flag !== "master"),
      replicas: master.replicas,
      other_sentinels: master.others,
    }));
    return {
      addr: this.addr,
      is_reachable: this.#masters !== undefined,
      problem: this.#problem,
      down_seconds: Math.round(this.downMs / 1000),
      masters: masters.sort((a, b) => a.group_id - b.group_id),
    };
  }

  /** Ends it. */
  close(): void {
    this.#isClosed = true;
    this.#end();
    this.#hangUp();
  }

  /** Asks now; when a question is under way already, once more after it. */
  async ask(): Promise<void> {
    this.#isDue = true;
    this.#asked ??= this.#askWhileDue().finally(() => this.#asked = undefined);
    await this.#asked;
  }

  async #askWhileDue(): Promise<void> {
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      await this.#askOnce();
      if (!this.#isClosed) this.#context.onAnswer();
    }
  }

  async #askOnce(): Promise<void> {
    const { open, groupOf } = this.#context;
    try {
      // A message may be missed while there is no subscription: it is made before the question.
      if (this.#listening?.isOpen !== true) {
        this.#listening = await open(this.addr, () => void this.ask());
        await this.#listening.call("SUBSCRIBE", SWITCH_CHANNEL);
      }
      if (this.#asking?.isOpen !== true) this.#asking = await open(this.addr);
      const masters = await readMasters(this.#asking, (name) => groupOf(name) !== undefined);
      this.#masters = new Map(masters.map((master) => [groupOf(master.name)!, master]));
      this.#problem = "";
    } catch (error) {
      if (this.#masters !== undefined) this.#downSinceMs = this.#timers.nowMs();
      this.#masters = undefined;
      const text = error instanceof Error ? error.message : `${error}`;
      const hint = /^(NOAUTH|WRONGPASS) /.test(text)
        ? " Set sentinel_password to its requirepass."
        : "";
      this.#problem = text.replace(`${this.addr}: `, "") + hint;
      this.#hangUp();
    }
    if (this.#isClosed) this.#hangUp();
  }

  #hangUp(): void {
    this.#asking?.close();
    this.#listening?.close();
    this.#asking = this.#listening = undefined;
  }
}
