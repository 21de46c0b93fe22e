/**
 * Whether this proxy would hear of another master, and what it does when it would not: see
 * `store/failover_rule.ts`.
 *
 *     own entry read, and online ──► in contact
 *        │ not for STEP_BACK_MS                      ▲
 *        ▼                                           │ read again, and every action applied
 *     in doubt: the masters of groups with replicas ─┘
 *        ├─ it hears from all of them ──► its slots are served; after they were not, HEARD_AGAIN_MS later
 *        └─ it does not ────────────────► its slots are not served
 *
 * Without the rule in force, the last table is served however long the coordinator is away.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { repeat } from "../../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { STEP_BACK_MS } from "../../store/failover_rule.ts";

/** How often it is looked whether we are in contact, in milliseconds. */
const LOOK_MS = 250;
/** Time between two readings while the rule is in force, in milliseconds. */
const READ_MS = 500;
/** The same while it is not. */
const IDLE_READ_MS = 2_000;

/** The coordinator is silent when it was not heard from for so long, in milliseconds. */
const SILENT_MS = 5_000;

/**
 * How long a master must hear from all its replicas before it is served again, in milliseconds. When a network heals,
 * what they had sent before they left it may come, all at once, and counts as heard for two seconds.
 */
const HEARD_AGAIN_MS = 3_000;

const log = logger("proxy");

/** A group whose master may be replaced. */
export interface GuardedGroup {
  readonly groupId: number;
  /** `host:port`. */
  readonly master: string;
  readonly replicaCount: number;
}

/** What a contact needs of its proxy. */
export interface ContactContext {
  /** Reads at the coordinator whether we are online, and whether the rule is in force. */
  read(): Promise<{ readonly isOnline: boolean; readonly isRule: boolean }>;
  /** Notes in the fence that we follow the rule. */
  noteRule(): Promise<void>;
  /** The groups with replicas, as they were last loaded. */
  groups(): readonly GuardedGroup[];
  /** How many replicas a master hears from; -1: it does not say. */
  heardReplicas(master: string): Promise<number>;
  /** Serves the slots of a group again that are not served, or those no more whose master this is. */
  serve(groupId: number, isServed: boolean, master: string): Promise<void>;
  /** Whether the table is as the store says it, as far as there are actions. */
  isCurrent(): Promise<boolean>;
}

/** See the header. */
export class Contact {
  readonly #context: ContactContext;
  readonly #timers: Timers;
  #isRule = false;
  /** When the newest reading that found us online was begun, in monotonic milliseconds. */
  #heardMs: number;
  #readMs = -Infinity;
  #isReading = false;
  #isChecking = false;
  #isStarted = false;
  #inDoubt = false;
  /** Groups that are not served, since when all replicas are heard again, and how many each master has had. */
  readonly #withheld = new Set<number>();
  readonly #heardSinceMs = new Map<number, number>();
  readonly #needed = new Map<number, number>();
  #end = () => {};

  /** Reads nothing yet. */
  constructor(context: ContactContext, timers: Timers = SYSTEM_TIMERS) {
    this.#context = context;
    this.#timers = timers;
    this.#heardMs = timers.nowMs();
  }

  /**
   * Reads for the first time, and goes on: to be called before requests are served by a table.
   *
   * @throws {CoordinatorError} When it cannot be read whether the rule is in force.
   */
  async start(): Promise<void> {
    this.#heardMs = this.#timers.nowMs();
    await this.#read(this.#heardMs);
    this.#isStarted = true;
    this.#end();
    this.#end = repeat(LOOK_MS, () => this.#look(), this.#timers);
  }

  /** Stops. */
  stop(): void {
    this.#end();
  }

  /** For how long it was not read that we are online, in milliseconds; 0 while it is read as often as it should be. */
  get silentMs(): number {
    const ms = this.#timers.nowMs() - this.#heardMs;
    return this.#isStarted && ms >= SILENT_MS ? ms : 0;
  }

  /** Whether masters may have been replaced without our hearing of it. */
  get isLost(): boolean {
    return this.#isRule && this.#timers.nowMs() - this.#heardMs >= STEP_BACK_MS;
  }

  #look(): void {
    const nowMs = this.#timers.nowMs();
    if (!this.#isReading && nowMs - this.#readMs >= (this.#isRule ? READ_MS : IDLE_READ_MS)) {
      this.#readMs = nowMs;
      this.#isReading = true;
      this.#read(nowMs).catch((error) => log.debug("not in contact: {error}", { error }))
        .finally(() => this.#isReading = false);
    }
    if (!this.isLost && !this.#inDoubt) return;
    if (!this.#inDoubt) {
      this.#inDoubt = true;
      this.#needed.clear();
      log.warn(
        "not heard from the coordinator for {ms} ms: serving a master only while it has all its replicas",
        {
          ms: Math.round(nowMs - this.#heardMs),
        },
      );
    }
    if (this.#isChecking) return;
    this.#isChecking = true;
    this.#checkAll().catch((error) => log.error("masters not checked: {error}", { error }))
      .finally(() => this.#isChecking = false);
  }

  async #read(startMs: number): Promise<void> {
    const { isOnline, isRule } = await this.#context.read();
    if (isRule) await this.#context.noteRule();
    this.#isRule = isRule;
    if (!isOnline) return;
    if (this.#inDoubt) {
      if (!await this.#context.isCurrent()) return;
      this.#inDoubt = false;
      log.info("in contact with the coordinator again: every slot is served as it says");
      for (const groupId of this.#withheld) await this.#context.serve(groupId, true, "");
      this.#withheld.clear();
      this.#heardSinceMs.clear();
    }
    this.#heardMs = startMs;
  }

  async #checkAll(): Promise<void> {
    await Promise.all(this.#context.groups().map((group) => this.#check(group)));
  }

  async #check({ groupId, master, replicaCount }: GuardedGroup): Promise<void> {
    const heard = await this.#context.heardReplicas(master);
    if (!this.#inDoubt) return;
    // A replica that was added since we are in doubt may take its place, too.
    const needed = Math.max(replicaCount, heard, this.#needed.get(groupId) ?? 0);
    this.#needed.set(groupId, needed);
    if (heard < needed) this.#heardSinceMs.delete(groupId);
    const isServed = heard >= needed && !this.#isHeardTooShort(groupId);
    if (isServed !== this.#withheld.has(groupId)) return;
    if (isServed) this.#withheld.delete(groupId);
    else this.#withheld.add(groupId);
    const what = isServed ? "served again" : "not served: another one may have taken its place";
    log.warn(
      "group {groupId}: the master {master} hears from {heard} of {needed} replicas; its slots are {what}",
      {
        ...{ groupId, master, heard: Math.max(0, heard), needed, what },
      },
    );
    await this.#context.serve(groupId, isServed, master);
  }

  /** Whether a group is not served, and what is heard now may be old. */
  #isHeardTooShort(groupId: number): boolean {
    if (!this.#withheld.has(groupId)) return false;
    const nowMs = this.#timers.nowMs();
    const sinceMs = this.#heardSinceMs.get(groupId) ?? nowMs;
    this.#heardSinceMs.set(groupId, sinceMs);
    return nowMs - sinceMs < HEARD_AGAIN_MS;
  }
}
