/**
 * Sends a change to proxies as actions, and waits until they have confirmed it.
 *
 *     announcements ─► slots in a row become one ─► actions stored, in order ─► confirmed (confirm.ts)
 *
 * A Codis 2.0 proxy applies only the newest action that it sees. So the next one is stored when the last
 * one is confirmed. When all who must confirm are ours, many are under way at once. Slots with numbers in
 * a row are announced in one action: every proxy reads from the store what it names.
 *
 * @module
 */

import type { ActionRecord } from "../model/action.ts";
import { encodeProxy, type ProxyRecord } from "../model/proxy.ts";
import { createAction } from "../store/actions.ts";
import { deadFences, loadFences } from "../store/fences.ts";
import { loadProxies } from "../store/proxies.ts";
import { type Store, StoreError } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { Confirmer } from "./confirm.ts";
import type { Announcement } from "./control.ts";
import { UnconfirmedError } from "./errors.ts";

/** Actions under way at once. */
const PARALLEL_MAX = 32;

/** See the header. */
export class Publisher {
  readonly #store: Store;
  /** Waits for confirmations, and knows who is late. */
  readonly confirmer: Confirmer;

  /** Stores actions in `store`. */
  constructor(store: Store, confirmer: Confirmer) {
    this.#store = store;
    this.confirmer = confirmer;
  }

  /**
   * Checks, before clients are made to wait, that no proxy that must confirm seems to be gone.
   *
   * @throws {StoreError} Naming one that does.
   */
  async checkPresent(proxies: readonly ProxyRecord[]): Promise<void> {
    const online = proxies.filter(({ state }) => state === "online");
    const { context } = this.confirmer;
    const isGone = await Promise.all(
      online.map(async (proxy) => context.holdsUpFailover(proxy) || await context.seemsGone(proxy)),
    );
    const gone = online.find((_, i) => isGone[i]);
    if (gone === undefined) return;
    throw new StoreError(
      `proxy ${gone.id} at ${gone.addr} seems to be gone, and its session has not ended yet: ` +
        "no slot is blocked until then",
    );
  }

  /**
   * Sends announcements to every online proxy, and waits for those that must confirm.
   *
   * @param withinMs How long is waited, when later confirmations are of no use: those that are late stay
   * online.
   * @param mayMiss Whether a proxy that may be serving and is not online does no harm.
   * @throws {UnconfirmedError} When one did not in time; all announcements were sent.
   */
  async publish(
    announcements: readonly Announcement[],
    withinMs?: number,
    mayMiss = false,
  ): Promise<void> {
    if (announcements.length === 0) return;
    const proxies = await loadProxies(this.#store, LEAVE_OUT);
    const online = proxies.filter(({ state }) => state === "online");
    // A proxy that went offline after fences were checked may go on serving as before.
    const lost = mayMiss ? [] : deadFences(await loadFences(this.#store), proxies);
    const isParallel = online.every((proxy) => this.confirmer.context.isOurs(proxy));
    // Another one follows the newest action only: it would never hear of one that is not waited for.
    const limitMs = isParallel ? withinMs : undefined;
    const confirming = new Set<Promise<void>>();
    const failures: unknown[] = [];
    for (const row of inRows(announcements)) {
      // Always one after the other: a follower takes a lower number for an older action.
      const name = await this.#create(row, online);
      if (!row.mustConfirm || online.length === 0) continue;
      const resend = (receivers: readonly ProxyRecord[]) => this.#create(row, receivers);
      const action = { name, type: row.type, resend };
      const confirmed = this.confirmer.untilConfirmed(action, online, limitMs)
        .catch((error) => void failures.push(error))
        .finally(() => confirming.delete(confirmed));
      confirming.add(confirmed);
      while (confirming.size >= (isParallel ? PARALLEL_MAX : 1)) await Promise.race(confirming);
    }
    await Promise.all(confirming);
    if (lost.length > 0 && announcements.some(({ mustConfirm }) => mustConfirm)) {
      failures.push(
        new UnconfirmedError(
          `the proxy at ${lost.join(", ")} went offline before it got the change`,
        ),
      );
    }
    const failure = failures.find((error) => !(error instanceof UnconfirmedError)) ?? failures[0];
    if (failure !== undefined) throw failure;
  }

  #create({ type, target, desc }: Row, receivers: readonly ProxyRecord[]): Promise<string> {
    return createAction(this.#store, {
      type,
      desc,
      target,
      ts: `${Math.floor(Date.now() / 1000)}`,
      receivers: receivers.length === 0 ? null : receivers.map(encodeProxy),
    } as ActionRecord);
  }
}

/** What one action says; `desc` is empty in Codis 2.0. */
export type Row = Announcement & { readonly desc: string };

/**
 * Joins announcements of slots with numbers in a row into one `multi_slot_changed`. Its `desc` is the type
 * that each of them had. Its status, `online`, makes every proxy read those slots from the store,
 * whatever is stored of them. One slot alone is announced as Codis 2.0 does.
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
