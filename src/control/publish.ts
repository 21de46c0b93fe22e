/**
 * Tells proxies of a change, and waits until all of them have confirmed it.
 *
 *     action stored ──► every online proxy confirms ──► done
 *                         │ late: asked over HTTP what it waits for; of Codis 2.0: told again
 *                         │ gone, and started anew: it reads what is stored now ──► as confirmed
 *                         │ gone, or its HTTP port refuses connections ──► UnconfirmedError
 *                         └ silent for too long ──► marked offline, waited for, UnconfirmedError
 *
 * A Codis 2.0 proxy applies only the newest action it sees, so the next one is stored when the last is
 * confirmed; when all who must confirm are ours, many are under way at once. Slots with numbers in a
 * row are told of in one action: every proxy reads what it names from the store.
 *
 * For up to 3 s after it was marked online a Codis 2.0 proxy does not look at actions at all, and never sees
 * those of that time. It would be waited for in vain, slots blocked meanwhile: so it is told once more.
 *
 * @module
 */

import type { ActionView, ChangeView, EventView } from "../api/cluster_view.ts";
import { logger } from "../base/log.ts";
import { repeat } from "../base/repeat.ts";
import type { ActionRecord } from "../model/action.ts";
import { decodeProxy, encodeProxy, isSameLife, type ProxyRecord } from "../model/proxy.ts";
import { createAction, loadAnswers } from "../store/actions.ts";
import { deadFences, loadFences } from "../store/fences.ts";
import { changeProxyState, loadProxies, loadProxy } from "../store/proxies.ts";
import { type Store, StoreError } from "../store/store.ts";
import type { Announcement } from "./control.ts";
import { UnconfirmedError } from "./errors.ts";

/** What the publisher needs of its surroundings. */
export interface PublisherContext {
  /** Whether a proxy is one of ours, which applies every action; false when that is not known. */
  isOurs(proxy: ProxyRecord): boolean;
  /** Whether a proxy's process seems to be gone, although its session has not ended yet. */
  seemsGone(proxy: ProxyRecord): Promise<boolean>;
  /** What keeps a proxy, in words; asked of a proxy that is late. */
  reasonOf(proxy: ProxyRecord): Promise<string>;
  report(level: EventView["level"], text: string): void;
  /** Called before the store is written: rejects when this dashboard does not lead. */
  checkLead(): Promise<void>;
}

/** Times of a confirmation, in milliseconds. */
export interface PublisherTimes {
  /** Longest time that proxies may take to confirm. @default 30000 */
  readonly confirmMs?: number;
  /** From when on a proxy is late, and asked why. @default 3000 */
  readonly lateMs?: number;
  /** Between two looks whether those that have not confirmed are still there. @default 300 */
  readonly lookMs?: number;
  /** From when on a proxy of Codis 2.0 is told again, and between two times. @default 1000 */
  readonly tellAgainMs?: number;
  /** Longest time that a proxy marked offline is waited for. @default 15000 */
  readonly leaveMs?: number;
}

/** Codis 2.0's. */
const CONFIRM_MS = 30_000;
const LATE_MS = 3_000;
const LEAVE_MS = 15_000;
/** How often a late proxy is asked again, in milliseconds. */
const ASK_MS = 2_000;
const LOOK_MS = 300;
const TELL_AGAIN_MS = 1_000;
/** How often an action is told again: more than the seconds in which a proxy may have missed it. */
const TELL_AGAIN_MAX = 6;
/** Looks in a row that must find that a process seems to be gone. */
const GONE_LOOKS = 3;
/** Actions under way at once. */
const PARALLEL_MAX = 32;
/** Actions whose confirmations are remembered, for the page. */
const REMEMBERED_MAX = 200;

/** What is said of a proxy that cannot confirm any more. */
const GONE = "it is gone";

const log = logger("dashboard");

/** See the header. */
export class Publisher {
  readonly #store: Store;
  readonly #context: PublisherContext;
  readonly #times: PublisherTimes;
  readonly #late = new Map<string, string>();
  /** When each confirmation was seen, in milliseconds after its action, by action and proxy. */
  readonly #seen = new Map<string, Map<string, number>>();

  /** Stores actions in `store`. */
  constructor(store: Store, context: PublisherContext, times: PublisherTimes = {}) {
    this.#store = store;
    this.#context = context;
    this.#times = times;
  }

  /** Proxies that are late, and why. */
  get waitingFor(): ChangeView["waiting_for"] {
    return [...this.#late].map(([proxy_id, reason]) => ({ proxy_id, reason }));
  }

  /** How long after an action each confirmation was seen, in milliseconds, by proxy. */
  afterMs(action: string): ReadonlyMap<string, number> {
    return this.#seen.get(action) ?? new Map();
  }

  /**
   * Checks, before clients are made to wait, that nobody who must confirm seems to be gone.
   *
   * @throws {StoreError} Naming one that does.
   */
  async checkPresent(proxies: readonly ProxyRecord[]): Promise<void> {
    const online = proxies.filter(({ state }) => state === "online");
    const isGone = await Promise.all(online.map((proxy) => this.#context.seemsGone(proxy)));
    const gone = online.find((_, i) => isGone[i]);
    if (gone === undefined) return;
    throw new StoreError(
      `proxy ${gone.id} at ${gone.addr} seems to be gone, and its session has not ended yet: ` +
        "no slot is blocked until then",
    );
  }

  /**
   * Tells every online proxy, and waits for those that must confirm.
   *
   * @throws {UnconfirmedError} When one did not in time; all have been told.
   */
  async publish(announcements: readonly Announcement[]): Promise<void> {
    if (announcements.length === 0) return;
    const proxies = await loadProxies(this.#store);
    const online = proxies.filter(({ state }) => state === "online");
    // Whoever has lost its place since it was checked that all can be told may be serving as before.
    const lost = deadFences(await loadFences(this.#store), proxies);
    const isParallel = online.every((proxy) => this.#context.isOurs(proxy));
    const confirming = new Set<Promise<void>>();
    const failures: unknown[] = [];
    for (const row of inRows(announcements)) {
      // One after the other in any case: whoever follows them takes a lower number for an older one.
      const name = await this.#create(row, online);
      if (!row.mustConfirm || online.length === 0) continue;
      const confirmed = this.#untilConfirmed(name, row, online)
        .catch((error) => void failures.push(error))
        .finally(() => confirming.delete(confirmed));
      confirming.add(confirmed);
      while (confirming.size >= (isParallel ? PARALLEL_MAX : 1)) await Promise.race(confirming);
    }
    await Promise.all(confirming);
    if (lost.length > 0 && announcements.some(({ mustConfirm }) => mustConfirm)) {
      failures.push(new UnconfirmedError(`the proxy at ${lost.join(", ")} could not be told`));
    }
    const failure = failures.find((error) => !(error instanceof UnconfirmedError)) ?? failures[0];
    if (failure !== undefined) throw failure;
  }

  #create(
    { type, target, desc }: Row,
    online: readonly ProxyRecord[],
  ): Promise<string> {
    return createAction(this.#store, {
      type,
      desc,
      target,
      ts: `${Math.floor(Date.now() / 1000)}`,
      receivers: online.length === 0 ? null : online.map(encodeProxy),
    } as ActionRecord);
  }

  async #untilConfirmed(
    name: string,
    row: Row,
    online: readonly ProxyRecord[],
  ): Promise<void> {
    const { silent, gone } = await this.#confirmed(name, row, online);
    if (silent.length + gone.size > 0) await this.#giveUp(name, row.type, silent, gone);
  }

  /** @returns The proxies that have not confirmed in time, and those that never will, with the reason. */
  async #confirmed(
    name: string,
    row: Row,
    online: readonly ProxyRecord[],
  ): Promise<{ silent: ProxyRecord[]; gone: Map<string, string> }> {
    const { coordinator, paths } = this.#store;
    const began = performance.now();
    const { confirmMs = CONFIRM_MS, lateMs = LATE_MS, lookMs = LOOK_MS } = this.#times;
    const { tellAgainMs = TELL_AGAIN_MS } = this.#times;
    let silent = [...online];
    const gone = new Map<string, string>();
    const looks = new Map<string, number>();
    const watch = coordinator.watchChildren(paths.response(name));
    const end = setTimeout(() => watch.close(), confirmMs);
    let isOver = false;
    let endAsking = () => {};
    const late = setTimeout(async () => {
      await this.#ask(silent);
      if (!isOver) endAsking = repeat(ASK_MS, () => this.#ask(silent));
    }, lateMs);
    const again: string[] = [];
    const endTelling = repeat(tellAgainMs, async () => {
      if (again.length < TELL_AGAIN_MAX) again.push(...await this.#tellAgain(row, silent));
    });
    const endLooking = repeat(lookMs, async () => {
      const ended = await this.#ended(silent, looks);
      const answers = await this.#answersTo(again);
      if (isOver) return;
      for (const id of answers) confirm(id);
      for (const { id } of silent) {
        const reason = ended.get(id);
        if (reason) gone.set(id, reason);
      }
      silent = silent.filter(({ id }) => !ended.has(id));
      if (silent.length === 0) watch.close();
    });
    const seen = this.#remember(name);
    const confirm = (id: string) => {
      if (silent.every((proxy) => proxy.id !== id)) return;
      seen.set(id, Math.round(performance.now() - began));
      this.#late.delete(id);
      silent = silent.filter((proxy) => proxy.id !== id);
    };
    try {
      for await (const answers of watch) {
        for (const id of answers) confirm(id);
        if (silent.length === 0) break;
      }
    } finally {
      isOver = true;
      watch.close();
      clearTimeout(end);
      clearTimeout(late);
      endAsking();
      endTelling();
      endLooking();
      for (const { id } of online) {
        if (silent.every((proxy) => proxy.id !== id)) this.#late.delete(id);
      }
    }
    return { silent, gone };
  }

  /** Stores an action anew for those who may not have seen it; all others have confirmed it. */
  async #tellAgain(row: Row, silent: readonly ProxyRecord[]): Promise<string[]> {
    const others = silent.filter((proxy) => !this.#context.isOurs(proxy));
    if (others.length === 0) return [];
    try {
      await this.#context.checkLead();
      return [await this.#create(row, others)];
    } catch (error) {
      log.debug("{type} is not told again: {error}", { type: row.type, error });
      return [];
    }
  }

  /** The ids of the proxies that have answered one of these actions. */
  async #answersTo(names: readonly string[]): Promise<string[]> {
    try {
      return (await Promise.all(names.map((name) => loadAnswers(this.#store, name)))).flat();
    } catch (error) {
      log.debug("answers are not known: {error}", { error });
      return [];
    }
  }

  /**
   * The proxies that will not confirm, by id, and why; `""` when another life has begun at the same
   * address.
   *
   * @param looks How often in a row each has seemed to be gone.
   */
  async #ended(
    proxies: readonly ProxyRecord[],
    looks: Map<string, number>,
  ): Promise<Map<string, string>> {
    const ended = new Map<string, string>();
    await Promise.all(proxies.map(async (proxy) => {
      try {
        const now = await loadProxy(this.#store, proxy.id);
        if (now === undefined) return void ended.set(proxy.id, GONE);
        if (!isSameLife(now, proxy)) {
          return void ended.set(proxy.id, now.addr === proxy.addr ? "" : GONE);
        }
        const count = await this.#context.seemsGone(proxy) ? (looks.get(proxy.id) ?? 0) + 1 : 0;
        looks.set(proxy.id, count);
        if (count >= GONE_LOOKS) ended.set(proxy.id, `${GONE}, and its session has not ended yet`);
      } catch (error) {
        log.debug("it is not known whether {id} is there: {error}", { id: proxy.id, error });
      }
    }));
    return ended;
  }

  #remember(name: string): Map<string, number> {
    const seen = new Map<string, number>();
    this.#seen.set(name, seen);
    if (this.#seen.size > REMEMBERED_MAX) this.#seen.delete(this.#seen.keys().next().value!);
    return seen;
  }

  async #ask(silent: readonly ProxyRecord[]): Promise<void> {
    await Promise.all(silent.map(async (proxy) => {
      const isNew = !this.#late.has(proxy.id);
      if (isNew) this.#late.set(proxy.id, "asking it why");
      const reason = await this.#context.reasonOf(proxy);
      if (!this.#late.has(proxy.id)) return;
      this.#late.set(proxy.id, reason);
      if (isNew) {
        this.#context.report("warning", `proxy ${proxy.id} has not confirmed yet: ${reason}`);
      }
    }));
  }

  /** Marks silent proxies offline, as Codis 2.0, but waits no longer than a bound for them to go. */
  async #giveUp(
    name: string,
    type: string,
    silent: readonly ProxyRecord[],
    gone: ReadonlyMap<string, string>,
  ): Promise<never> {
    const named = [
      ...silent.map(({ id }) => ({ id, reason: this.#late.get(id) ?? "" })),
      ...[...gone].map(([id, reason]) => ({ id, reason })),
    ].map(({ id, reason }) => reason === "" ? id : `${id} (${reason})`).join(", ");
    await this.#context.checkLead();
    await Promise.all(silent.map((proxy) => this.#takeOffline(proxy)));
    for (const { id } of silent) this.#late.delete(id);
    // Codis 2.0's text comes first.
    const end = silent.length === 0
      ? ""
      : `; ${gone.size === 0 ? "they" : silent.map(({ id }) => id)} were marked offline`;
    const text = `receiver timeout: ${type} (action ${name}) was not confirmed by ${named}${end}`;
    this.#context.report("error", text);
    throw new UnconfirmedError(text);
  }

  async #takeOffline(proxy: ProxyRecord): Promise<void> {
    try {
      await takeOffline(this.#store, proxy, this.#times.leaveMs ?? LEAVE_MS);
    } catch (error) {
      this.#context.report("warning", `${(error as Error).message}`);
    }
  }
}

/**
 * Marks a proxy offline, and waits until it is gone or has written `offline` itself.
 *
 * @param leaveMs Longest time to wait, in milliseconds.
 * @throws {StoreError} When it is still there then.
 */
export async function takeOffline(
  store: Store,
  proxy: ProxyRecord,
  leaveMs: number = LEAVE_MS,
): Promise<void> {
  const now = await loadProxy(store, proxy.id);
  // Another life of it knows nothing of what this one did not do.
  if (now === undefined || !isSameLife(now, proxy)) return;
  await changeProxyState(store, proxy.id, "mark_offline");
  const watch = store.coordinator.watchData(store.paths.proxy(proxy.id));
  const end = setTimeout(() => watch.close(), leaveMs);
  try {
    for await (const entry of watch) {
      const own = entry === undefined ? undefined : decodeProxy(entry.data);
      if (own === undefined || !isSameLife(own, proxy) || own.state === "offline") return;
    }
  } finally {
    clearTimeout(end);
    watch.close();
  }
  throw new StoreError(
    `proxy ${proxy.id} is marked offline and has not left within ${leaveMs} ms`,
  );
}

/** What an action that stands for many of one type says of the slots' status. */
const STATUS_OF: Readonly<Record<string, string>> = {
  slot_premigrate: "pre_migrate",
  slot_migrate: "migrate",
};

/** What one action says; `desc` is empty in Codis 2.0. */
export type Row = Announcement & { readonly desc: string };

/**
 * Puts slots with numbers in a row into one `multi_slot_changed`, which names what each was in its
 * `desc`. Its status, `online`, has every proxy read those slots, whatever is stored of them. One slot
 * alone is told of as Codis 2.0 does.
 */
export function inRows(announcements: readonly Announcement[]): Row[] {
  const rows: Row[] = [];
  const slots: SlotAnnouncement[] = [];
  for (const announcement of announcements) {
    if (isOfSlot(announcement)) slots.push(announcement);
    else rows.push({ ...announcement, desc: "" });
  }
  slots.sort((a, b) => a.target.id - b.target.id);
  for (let at = 0; at < slots.length;) {
    const first = slots[at]!;
    let end = at + 1;
    while (end < slots.length && isNext(slots[end - 1]!, slots[end]!)) end++;
    const [from, to] = [first.target.id, slots[end - 1]!.target.id];
    const { group_id } = first.target;
    rows.push(
      from === to ? { ...first, desc: "" } : {
        type: "multi_slot_changed",
        target: { from, to, status: "online", group_id },
        mustConfirm: first.mustConfirm,
        desc: first.type,
      },
    );
    at = end;
  }
  return rows;
}

type SlotAnnouncement = Extract<
  Announcement,
  { type: "slot_changed" | "slot_premigrate" | "slot_migrate" }
>;

function isOfSlot(announcement: Announcement): announcement is SlotAnnouncement {
  return ["slot_changed", "slot_premigrate", "slot_migrate"].includes(announcement.type);
}

function isNext(a: SlotAnnouncement, b: SlotAnnouncement): boolean {
  return b.type === a.type && b.mustConfirm === a.mustConfirm &&
    b.target.group_id === a.target.group_id && b.target.id === a.target.id + 1;
}

/** The view of an action, for the page. */
export function actionView(
  name: string,
  action: ActionRecord,
  answers: readonly string[],
  afterMs: ReadonlyMap<string, number>,
): ActionView {
  return {
    name,
    type: action.type,
    summary: summaryOf(action),
    created_at: Number(action.ts) * 1000,
    receivers: (action.receivers ?? []).map(idOf),
    answers: answers.map((proxy_id) => ({ proxy_id, after_ms: afterMs.get(proxy_id) ?? null })),
  };
}

function idOf(receiver: string): string {
  try {
    return decodeProxy(receiver).id;
  } catch {
    return receiver; // Codis 2.0 takes a bare id as well
  }
}

function summaryOf(action: ActionRecord): string {
  switch (action.type) {
    case "slot_changed":
    case "slot_premigrate":
    case "slot_migrate": {
      const { id, group_id, state } = action.target;
      const from = state.status === "migrate" ? ` from group ${state.migrate_status.from}` : "";
      return `slot ${id}: group ${group_id}, ${state.status}${from}`;
    }
    case "multi_slot_changed": {
      const { from, to, group_id, status } = action.target;
      return `slots ${from} to ${to}: group ${group_id}, ${STATUS_OF[action.desc] ?? status}`;
    }
    case "group_changed": {
      const { id, servers } = action.target;
      const master = servers?.find(({ type }) => type === "master")?.addr ?? "none";
      return `group ${id}: master ${master}`;
    }
    case "group_remove":
      return `group ${action.target.id} removed`;
  }
}
