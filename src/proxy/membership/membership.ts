/**
 * A proxy as a member of its product: registered, following every change, its slots as the store says.
 *
 *     start ──► baseline of actions ──► register ──► online ──► follow actions, load all slots ──► serve
 *     stop ◄── (nothing is served any more) ──► actions not followed any more ──► fence and entry removed
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { repeat } from "../../base/repeat.ts";
import type { Timers } from "../../base/timers.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import { type Serving, worseServing } from "../../router/serving.ts";
import type { SlotTable } from "../../router/slot_table.ts";
import { loadActionNames } from "../../store/actions.ts";
import { logFailure, type Store } from "../../store/store.ts";
import { loadFailoverRule } from "../../store/failover_rule.ts";
import { compareSequence } from "../../store/sequence.ts";
import { ActionFollower } from "./action_follower.ts";
import { OtherProcess } from "../upgrade/other_process.ts";
import { Contact } from "./contact.ts";
import { Registration, type RegistrationTimes } from "./registration.ts";
import { NO_PLACE, type ProxyPlace, ReplicaLoader } from "./replica_loader.ts";
import { RuleLoader } from "./rule_loader.ts";
import { SlotLoader } from "./slot_loader.ts";
import type { StoredUsers } from "./stored_users.ts";

/** What the membership asks of the process. */
export interface MembershipEvents {
  /** Asks to be set online; see `go_online.ts`. */
  askOnline(): Promise<void>;
  /** Every slot is loaded: requests can be served; called again after each new loading. */
  onServing(): void;
  /** Somebody has set the proxy offline. @default nothing is done */
  onOffline?(): void;
  /** An operator, or a dashboard, wants the process to end in order. */
  onMarkOffline(): void;
  /** Requests are served, held or refused from now on. */
  setServing(serving: Serving): void;
  /** How many replicas a master hears from; -1: it does not say. @default -1 */
  heardReplicas?(master: string): Promise<number>;
}

/** Time between two looks whether slots that cannot be served were mended, in milliseconds. */
const MENDED_MS = 2_000;

const log = logger("proxy");

/** See the header. */
export class Membership {
  /** Where the proxy stands with the coordinator. */
  readonly registration: Registration;
  /** What the store said of the slots. */
  readonly slots: SlotLoader;
  readonly #store: Store;
  readonly #follower: ActionFollower;
  readonly #rules: RuleLoader;
  readonly #replicas: ReplicaLoader;
  readonly #contact: Contact;
  /** Whether requests are served as far as the slot table is concerned, and slot rules. */
  readonly #serving: { table: Serving; rules: Serving } = { table: "serving", rules: "serving" };
  readonly #timers: Timers | undefined;
  #endMending = () => {};
  #isFollowing = false;
  #isGuarded = false;

  /**
   * Does nothing yet; `record` is the proxy's own, `offline`. Without `users`, it has its own. With an `other`
   * that is there already, the proxy is registered by that one, and `record` is what it has registered.
   */
  constructor(
    store: Store,
    record: ProxyRecord,
    table: SlotTable,
    events: MembershipEvents,
    times: RegistrationTimes,
    timers?: Timers,
    users?: StoredUsers,
    place: ProxyPlace = NO_PLACE,
    other = new OtherProcess(timers),
  ) {
    this.#store = store;
    this.#timers = timers;
    this.#replicas = new ReplicaLoader(store, table, place, timers);
    this.slots = new SlotLoader(store, table);
    const setServing = (of: "table" | "rules", serving: Serving) => {
      this.#serving[of] = serving;
      events.setServing(worseServing(this.#serving.table, this.#serving.rules));
    };
    this.#rules = new RuleLoader(store, table, (serving) => setServing("rules", serving), timers);
    this.#contact = this.#makeContact(store, events, timers);
    this.#follower = new ActionFollower(store, {
      record: () => this.registration.record,
      slots: this.slots,
      rules: this.#rules,
      users,
      replicas: this.#replicas,
      other,
      finished: (number) => table.inForce(number),
      readAnew: () => this.registration.readAnew(),
    }, timers);
    this.registration = new Registration(
      store,
      record,
      {
        askOnline: () => events.askOnline(),
        onOffline: () => events.onOffline?.(),
        onMarkOffline: () => events.onMarkOffline(),
        setServing: (serving) => setServing("table", serving),
        beforeEntry: () => this.#follower.countAnew(),
        isOvertaken: async () => this.#contact.isLost || await this.#follower.isSetBack(),
        isEmpty: () => this.slots.isEmpty,
        onOnline: async () => {
          this.#follow();
          // Asked before the slots: they are as this action left them, or newer.
          const newest = await this.newestStored();
          if (!this.#isGuarded) await this.#contact.start();
          this.#isGuarded = true;
          // Before the first slot: no key is looked for where it is not.
          await this.#rules.load();
          await users?.reload();
          await this.slots.loadAll();
          await this.#replicas.load();
          table.loaded(this.#follower.numberOf(newest));
          other.haveApplied(this.lastAction);
          events.onServing();
        },
      },
      times,
      timers,
      other,
    );
  }

  /** For how long no dashboard could change the table, as far as we know, in milliseconds; 0 when one can. */
  get staleMs(): number {
    return this.registration.staleMs || this.#contact.silentMs;
  }

  /** The newest action that is done with; `""` before the first. */
  get lastAction(): string {
    return this.#follower.last;
  }

  /** The newest action that is done with, or about to be answered; `""` before the first. */
  get actionInHand(): string {
    return this.#follower.inHand;
  }

  /** The newest action in the store, or that is done with; `""` before the first. */
  async newestStored(): Promise<string> {
    return (await loadActionNames(this.#store)).at(-1) ?? this.lastAction;
  }

  /** Waits until an action, and all before it, are done with. */
  untilDone(action: string): Promise<void> {
    return this.#follower.untilDone(action);
  }

  /** The other process is gone, and the fence may be: makes sure of it, and loads the table behind it. */
  async renew(): Promise<void> {
    await this.registration.table.renew();
  }

  /**
   * Registers; the rest follows from what the store says.
   *
   * @throws {StoreError} When another proxy has the id.
   * @throws {CoordinatorError} When the coordinator cannot be reached.
   */
  async start(): Promise<void> {
    await this.#follower.baseline();
    await this.registration.start();
  }

  /** Leaves the product; for when no request is served any more. */
  async stop(): Promise<void> {
    this.#endMending();
    this.#rules.stop();
    this.#contact.stop();
    this.#replicas.stop();
    await this.#follower.stop();
    await this.registration.stop();
  }

  #makeContact(store: Store, events: MembershipEvents, timers?: Timers): Contact {
    return new Contact({
      read: async () => {
        const [isOnline, isRule] = await Promise.all([
          this.registration.isOnlineThere(),
          loadFailoverRule(store),
        ]);
        return { isOnline, isRule };
      },
      noteRule: () => this.registration.noteRule(),
      groups: () =>
        this.#replicas.groups.filter(({ replicas }) => replicas.length > 0)
          .map(({ groupId, master, replicas }) => ({
            ...{ groupId, master, replicaCount: replicas.length },
          })),
      heardReplicas: (master) => events.heardReplicas?.(master) ?? Promise.resolve(-1),
      serve: (groupId, isServed, master) => this.slots.serveGroup(groupId, isServed, master),
      isCurrent: async () => {
        const newest = await this.newestStored();
        return this.registration.state === "online" && !this.registration.table.isLoading &&
          (newest === "" || compareSequence(newest, this.#follower.last) <= 0);
      },
    }, timers);
  }

  /** Before the slots are loaded, so that no change falls between the two. */
  #follow(): void {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    this.#follower.start();
    this.#endMending = repeat(MENDED_MS, () => this.#loadMended(), this.#timers);
  }

  /** Only while nothing can change behind our back, as ever: online, fenced, and with a table that holds. */
  async #loadMended(): Promise<void> {
    const { state, table } = this.registration;
    if (state !== "online" || table.isLoading || this.slots.faults.count === 0) return;
    try {
      if (await this.slots.loadFaulty()) await this.#replicas.load();
    } catch (error) {
      logFailure(this.#store, log, "slots that cannot be served were not looked at", error);
    }
  }
}
