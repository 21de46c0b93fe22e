/**
 * Where outages go: into the log at WARN, onto the page, into the store, and to `webhook_url`.
 *
 *     report ─► Outages ─► event ─┬─► a line in the log, and on the page
 *                                 ├─► its page in the store: for the dashboard that leads next
 *                                 └─► Webhook ─► "it was sent" in the store
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { repeat } from "../../base/repeat.ts";
import type { Events } from "../../control/events.ts";
import {
  type OutageCounts,
  outageLine,
  type OutageReport,
  Outages,
  type OutageSink,
} from "../../control/outages.ts";
import { StoredRing, type Transact } from "../../control/stored_ring.ts";
import type { OutageEvent, OutageKind } from "../../model/outage_event.ts";
import { OUTAGE_RING, PAGE_RECORDS } from "../../store/page_rings.ts";
import type { Store } from "../../store/store.ts";
import { Webhook, type WebhookFigures, type WebhookTarget } from "./webhook.ts";

/** How often it is looked what has become due, in milliseconds. */
const ROUND_MS = 1_000;
/** For how long one write to the store gathers events, and what has changed of old ones, in milliseconds. */
const NEW_WITHIN_MS = 500;
const CHANGED_WITHIN_MS = 10_000;

const log = logger("outage");

/** What outages are told with. */
export interface OutageContext {
  readonly store: Store;
  /** The list of the page. */
  readonly events: Events;
  readonly transact: Transact;
  /** @default events are sent nowhere */
  readonly webhook?: WebhookTarget | undefined;
  /** Whether another dashboard leads, as far as this one knows. */
  isLedElsewhere(): boolean;
}

/** See the header. */
export class OutageTrail {
  readonly #context: OutageContext;
  readonly #ring: StoredRing<OutageEvent>;
  readonly #webhook: Webhook | undefined;
  readonly #outages: Outages = new Outages((event, isNew) => this.#take(event, isNew));
  /** Whether this dashboard leads, or has led until the coordinator was lost. */
  #isMain = false;
  #end = () => {};

  /** Does nothing yet. */
  constructor(context: OutageContext) {
    this.#context = context;
    this.#ring = new StoredRing(context.store, OUTAGE_RING, context.transact);
    if (context.webhook !== undefined) {
      this.#webhook = new Webhook(context.webhook, (id) => this.#wasSent(id));
    }
  }

  /** Takes a report. */
  report(report: OutageReport): void {
    this.#outages.report(report);
  }

  /** Ends the outages of a kind whose subjects are not there any more. */
  keepOnly(kind: OutageKind, subjects: ReadonlySet<string>): void {
    this.#outages.keepOnly(kind, subjects);
  }

  /** Starts to tell what becomes due with time. */
  start(): void {
    this.#end = repeat(ROUND_MS, () => this.#round());
  }

  /** Resolves when everything is sent and in the store, or that has failed; tells nothing more. */
  async stop(): Promise<void> {
    this.#end();
    await this.#webhook?.stop();
    await this.#ring.flush();
  }

  /** Takes over from the dashboard that led before. */
  async load(): Promise<void> {
    await this.#ring.load();
    this.#isMain = true;
    const events = this.newest();
    const isOwn = this.#outages.open.some(({ kind }) => kind === COORDINATOR_LOST.kind);
    this.#outages.inherit(openAmong(events));
    if (!isOwn) {
      // Of an earlier process: when that one reached the coordinator again, if it did, nobody can say.
      this.report({
        ...{ ...COORDINATOR_LOST, phase: "end" },
        text: "a dashboard leads that reaches the coordinator",
        cause: "when the earlier one reached it again is not known",
      });
    }
    const unsent = events.filter((event) => !event.is_sent).reverse();
    for (const event of unsent) this.#webhook?.send(event);
  }

  /** Tells that this dashboard leads now. @param previous Who did before; `""`: nobody has. */
  tellLead(addr: string, previous: string): void {
    if (previous === "") return;
    const isSame = previous === addr;
    this.report({
      ...{ kind: "dashboard_changed", phase: "once", subject: "dashboard" },
      text: isSame
        ? `the dashboard at ${addr} leads again`
        : `the dashboard at ${addr} leads, in place of ${previous}`,
      cause: isSame
        ? "it was started again, or had lost the coordinator"
        : "that one has ended or has lost the coordinator",
      ...isSame
        ? { severity: "info" as const }
        : { hint: `look at ${previous}, and start it again so that two are there` },
    });
  }

  /** This dashboard does not lead any more. */
  unload(): void {
    this.#ring.unload();
    this.#outages.forget("coordinator_lost");
  }

  /** The events, newest first. */
  newest(): OutageEvent[] {
    const byId = new Map(this.#ring.records.map((event) => [event.id, event]));
    return [...byId.values()].sort((a, b) => b.at - a.at || b.seq - a.seq);
  }

  /** The begins of outages that have not ended, newest first. */
  get open(): OutageEvent[] {
    const ids = new Set(this.#outages.open.map(({ id }) => id));
    return this.newest().filter(({ id }) => ids.has(id));
  }

  /** Figures of a kind, since this process started. */
  counts(kind: OutageKind): OutageCounts {
    return this.#outages.counts(kind);
  }

  /** What has become of events for `webhook_url`. */
  get webhookFigures(): WebhookFigures {
    return this.#webhook?.figures ?? { sent: 0, failed: 0, lost: 0, waiting: 0 };
  }

  #round(): void {
    const { state } = this.#context.store.coordinator;
    if (this.#context.isLedElsewhere()) this.#isMain = false;
    if (state === "connected") {
      // Also when another dashboard leads by now: that is no part of the outage.
      this.report({
        ...{ ...COORDINATOR_LOST, phase: "end" },
        text: "the dashboard reaches the coordinator again",
      });
    } else if (this.#isMain && state !== "closed") {
      this.report({
        ...{ ...COORDINATOR_LOST, phase: "begin" },
        text: "the dashboard does not reach the coordinator: nothing can be changed",
        ...{ cause: `the session is ${state}`, hint: COORDINATOR_HINT },
      });
    }
    this.#outages.round();
  }

  #take(event: Parameters<OutageSink>[0], isNew: boolean): void {
    if (!isNew) {
      const old = this.#ring.records.findLast(({ id }) => id === event.id);
      if (old === undefined) return;
      const { seq, is_sent } = old;
      return this.#ring.change({ ...old, ...event, seq, is_sent }, CHANGED_WITHIN_MS);
    }
    const line = outageLine(event);
    log.warn("{line}", { line });
    this.#context.events.add(event.severity, line);
    const is_sent = this.#webhook === undefined;
    const kept = this.#ring.add({ ...event, is_sent }, NEW_WITHIN_MS);
    this.#webhook?.send(kept);
    this.#carryOver();
  }

  /** The receiver has an event, or will never have it. */
  #wasSent(id: string): void {
    const event = this.#ring.records.findLast((each) => each.id === id);
    if (event !== undefined) this.#ring.change({ ...event, is_sent: true }, CHANGED_WITHIN_MS);
  }

  /** Outages that are open stay in the store, however much happens meanwhile. */
  #carryOver(): void {
    const { records, most } = this.#ring;
    const lastSafe = records.at(-1)!.seq - most + 2 * PAGE_RECORDS;
    for (const event of this.open) {
      if (event.seq <= lastSafe) this.#ring.add(event, CHANGED_WITHIN_MS);
    }
  }
}

const COORDINATOR_LOST = { kind: "coordinator_lost", subject: "coordinator" } as const;
const COORDINATOR_HINT =
  "look at ZooKeeper or etcd and the network to it; clients are served meanwhile with the last slot table";

/** The begins without an end. */
function openAmong(events: readonly OutageEvent[]): OutageEvent[] {
  const ended = new Set(events.filter(({ phase }) => phase === "end").map(({ outage }) => outage));
  return events.filter(({ phase, outage }) => phase === "begin" && !ended.has(outage));
}
