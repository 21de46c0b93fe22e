/**
 * Changes of slot rules: at every proxy at one moment, and only while no key would be left behind.
 *
 *     checked: proxies, servers, no slot moves, no key that would change its slot
 *        ▼
 *     intent, pending rules ─► every proxy holds its requests ─► no key now either?
 *                                                                  │ yes         │ no, or late
 *                                                                  ▼             ▼
 *                                                               committed     given up
 *                                                                  └──► announced, requests go on
 *
 * A dashboard that dies on the way leaves the intent; the next one gives the change up if it was not
 * committed, and tells the proxies in any case. Proxies do not wait for that for ever: they give a change up
 * themselves (`rule_loader.ts`). The commit is a compare-and-set, so only one of the two happens.
 *
 * @module
 */

import type { KeyPlaceAnswer } from "../api/answers.ts";
import { BadVersionError } from "../coordinator/errors.ts";
import type { Operation } from "../coordinator/coordinator.ts";
import type { SlotRule } from "../hash/placement.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import {
  areSameRules,
  describeRule,
  encodeSlotRules,
  isSameRule,
  ruleProblem,
  SLOT_RULES_MAX,
} from "../model/slot_rule.ts";
import { loadGroups, masterOf } from "../store/groups.ts";
import { withLock } from "../store/lock.ts";
import { loadProxies } from "../store/proxies.ts";
import { loadPlacement, loadSlotRules } from "../store/slot_rules.ts";
import { loadSlot, loadSlots } from "../store/slots.ts";
import { CONFIG } from "../store/problem.ts";
import { StoreError } from "../store/store.ts";
import type { ChangeLog } from "./change.ts";
import type { Announcement, ClusterChange, Control } from "./control.ts";
import { InputError, UnconfirmedError } from "./errors.ts";
import { findMisplaced, type MisplacedKeys } from "./misplaced_keys.ts";
import type { Publisher } from "./publish.ts";
import { isCodisServer } from "./servers.ts";

/** Longest time that looking for keys may take while proxies serve, in milliseconds. */
const SEARCH_MS = 60_000;
/**
 * Longest time from the pending rules to the commit, in milliseconds; proxies give up after
 * `RULES_HOLD_MS`.
 */
const HELD_MS = 4_500;
const HELD_TOO_LONG =
  "slot rules: looking for keys took longer than requests may be held, nothing was changed: try again";

/** What changes of rules work with. */
export interface RulesContext {
  readonly control: Control;
  readonly changes: ChangeLog;
  readonly publisher: Publisher;
  /** Whether a proxy places keys by rules; undefined: not known. */
  followsRules(proxy: ProxyRecord): boolean | undefined;
  /** Changes the store, provided that this dashboard leads. */
  transact(operations: readonly Operation[]): Promise<void>;
}

/**
 * Adds rules; what is there already is left out.
 *
 * @param isFirst Whether they are tried before those that are there, or after them.
 * @throws {InputError | StoreError} When one is no rule, or the change is refused: nothing was changed.
 */
export async function addSlotRules(
  context: RulesContext,
  added: readonly SlotRule[],
  isFirst: boolean,
): Promise<void> {
  for (const rule of added) {
    const problem = ruleProblem(rule);
    if (problem !== "") {
      throw new InputError("pattern", "a pattern of keys", `${rule.pattern}: ${problem}`);
    }
  }
  await changeRules(context, (rules) => {
    const fresh: SlotRule[] = [];
    for (const rule of added) {
      const other = [...rules, ...fresh].find(({ pattern }) => pattern === rule.pattern);
      if (other === undefined) fresh.push(rule);
      else if (!isSameRule(other, rule)) {
        throw new StoreError(
          `there is a rule for ${rule.pattern} already (${describeRule(other)}): remove it first`,
        );
      }
    }
    const all = isFirst ? [...fresh, ...rules] : [...rules, ...fresh];
    if (all.length > SLOT_RULES_MAX) {
      throw new StoreError(`there may be at most ${SLOT_RULES_MAX} slot rules`);
    }
    return all;
  });
}

/**
 * Removes rules by their patterns.
 *
 * @throws {StoreError} When one is not there, or the change is refused: nothing was changed.
 */
export async function removeSlotRules(
  context: RulesContext,
  patterns: readonly string[],
): Promise<void> {
  await changeRules(context, (rules) => {
    const missing = patterns.find((pattern) => !rules.some((rule) => rule.pattern === pattern));
    if (missing !== undefined) throw new StoreError(`there is no slot rule for ${missing}`);
    return rules.filter(({ pattern }) => !patterns.includes(pattern));
  });
}

/** Explains where a key is placed. */
export async function keyPlaceOf(
  control: Pick<Control, "store">,
  key: string,
): Promise<KeyPlaceAnswer> {
  const placement = await loadPlacement(control.store);
  const bytes = new TextEncoder().encode(key);
  const slot = placement.slotIdOf(bytes, 0, bytes.length);
  const found = placement.explain(bytes, 0, bytes.length);
  const tag = /\{([^}]*)\}/.exec(key);
  const group = await loadSlot(control.store, slot).then(({ group_id }) => group_id, () => -1);
  if (found !== null) {
    const part = new TextDecoder().decode(found.part);
    return { key, slot, group, by: "rule", part, rule: found.rule };
  }
  if (tag !== null) return { key, slot, group, by: "tag", part: tag[1]!, rule: null };
  return { key, slot, group, by: "key", part: key, rule: null };
}

async function changeRules(
  context: RulesContext,
  edit: (rules: readonly SlotRule[]) => readonly SlotRule[],
): Promise<void> {
  const { control, changes } = context;
  await withLock(control.store, "change slot rules", async () => {
    const { rules } = await loadSlotRules(control.store);
    const next = edit(rules);
    if (areSameRules(rules, next)) return;
    await checkFollowed(context);
    const masters = await checkMasters(control);
    await checkNoSlotMoves(control);
    refuseMisplaced(await findMisplaced(control, masters, rules, next, SEARCH_MS));
    const intent = { kind: "slot_rules", at: Date.now() } as const;
    let failure: unknown;
    await changes.changeAfter("change of slot rules", intent, async () => {
      const outcome = await holdAndCommit(context, masters, rules, next);
      failure = outcome.failure;
      return outcome.change;
    });
    if (failure !== undefined) throw failure;
    for (const rule of next) {
      if (!rules.some((old) => isSameRule(old, rule))) {
        control.report("info", `slot rule added: ${describeRule(rule)}`);
      }
    }
    for (const rule of rules) {
      if (!next.some((other) => isSameRule(other, rule))) {
        control.report("info", `slot rule removed: ${describeRule(rule)}`);
      }
    }
  });
}

/**
 * Has all proxies hold their requests, looks for keys again, and commits; or gives the change up.
 *
 * @returns What is still to be done: proxies are told what is in force. And why it was given up.
 */
async function holdAndCommit(
  context: RulesContext,
  masters: readonly string[],
  rules: readonly SlotRule[],
  next: readonly SlotRule[],
): Promise<{ change: ClusterChange; failure: unknown }> {
  const { control, publisher, transact } = context;
  const { store } = control;
  const path = store.paths.slotRules;
  const startedMs = performance.now();
  const restMs = () => HELD_MS - (performance.now() - startedMs);
  try {
    await checkNoSlotMoves(control);
    await publisher.checkPresent(await loadProxies(store));
    const before = await loadSlotRules(store);
    // Only the lock keeps other dashboards' changes away, and it may have been removed by hand.
    if (!areSameRules(before.rules, rules)) {
      throw new StoreError("slot rules have changed meanwhile");
    }
    const pending = encodeSlotRules({ rules, pending: next });
    await transact([
      before.version === undefined
        ? { create: path, data: pending, isLeaf: true }
        : { write: path, data: pending, version: before.version },
    ]);
    const held = await loadSlotRules(store);
    await publisher.publish([announcementOf(rules, next)], restMs());
    // By then the first of them serve again; and it is not the number of keys that was too large.
    if (restMs() <= 0) throw new StoreError(HELD_TOO_LONG);
    refuseMisplaced(await findMisplaced(control, masters, rules, next, restMs()));
    if (restMs() <= 0) throw new StoreError(HELD_TOO_LONG);
    const version = held.version!;
    await transact([{
      write: path,
      data: encodeSlotRules({ rules: next, pending: null }),
      version,
    }]);
    return { change: { ...toldChange(next), summary: "slot rules changed" }, failure: undefined };
  } catch (error) {
    return { change: await giveUp(context, rules), failure: reasonOfGivingUp(error) };
  }
}

function reasonOfGivingUp(error: unknown): unknown {
  if (error instanceof BadVersionError) {
    return new StoreError(
      "slot rules: a proxy has given the change up, as it took too long: try again",
    );
  }
  if (!(error instanceof UnconfirmedError)) return error;
  return new StoreError(
    `slot rules: not all proxies held their requests within ${
      HELD_MS / 1000
    } s, nothing was changed: ` +
      `${error.message}; try again, or end that proxy`,
  );
}

/** Decides about a change of rules that another dashboard has not finished. */
export async function resumeRuleChange(context: RulesContext): Promise<ClusterChange> {
  const change = await giveUp(context);
  context.control.report(
    "warning",
    "a change of slot rules was interrupted: proxies are told what holds",
  );
  return change;
}

/**
 * Ends a change if it was not committed.
 *
 * @param before The rules before it, if they are known.
 */
async function giveUp(
  { control, transact }: RulesContext,
  before?: readonly SlotRule[],
): Promise<ClusterChange> {
  const { store } = control;
  for (;;) {
    const { rules, pending, version } = await loadSlotRules(store);
    // Where nothing has changed, nobody is waited for: who is late was the reason, perhaps.
    const hasChanged = before === undefined || !areSameRules(rules, before);
    if (pending === undefined) return toldChange(rules, hasChanged);
    const data = encodeSlotRules({ rules, pending: null });
    try {
      await transact([{ write: store.paths.slotRules, data, version: version! }]);
    } catch (error) {
      if (!(error instanceof BadVersionError)) throw error;
    }
  }
}

/** Tells proxies which rules are in force. */
function toldChange(rules: readonly SlotRule[], mustConfirm = true): ClusterChange {
  const announcement = { ...announcementOf(rules, null), mustConfirm };
  return { summary: "", writes: [], announcements: [announcement] };
}

function announcementOf(
  rules: readonly SlotRule[],
  pending: readonly SlotRule[] | null,
): Announcement {
  return { type: "slot_rules", target: { rules, pending }, mustConfirm: true };
}

// -- what must be so --------------------------------------------------------------------------

async function checkFollowed({ control, followsRules }: RulesContext): Promise<void> {
  for (const proxy of await loadProxies(control.store)) {
    const follows = followsRules(proxy);
    if (follows === true) continue;
    throw new StoreError(
      follows === false
        ? `proxy ${proxy.id} at ${proxy.addr} is a proxy of Codis, or too old to know slot rules: it would ` +
          "place keys without them; replace it first"
        : `proxy ${proxy.id} at ${proxy.addr} has not answered yet, so it is not known whether it knows ` +
          "slot rules: try again, or end it",
    );
  }
}

/** The masters of all groups. */
async function checkMasters(control: Control): Promise<string[]> {
  const groups = await loadGroups(control.store);
  const addrs = groups.flatMap((group) =>
    (group.servers ?? []).length === 0 ? [] : [masterOf(group).addr]
  );
  for (const addr of addrs) {
    if (!await isCodisServer(control, addr)) continue;
    throw new StoreError(
      `${addr} is a codis-server, which places keys itself and knows nothing of slot rules: use stock ` +
        "Redis servers",
    );
  }
  return addrs;
}

async function checkNoSlotMoves(control: Control): Promise<void> {
  const slots = await loadSlots(control.store);
  const moving = slots.filter(({ state }) =>
    state.status === "migrate" || state.status === "pre_migrate"
  );
  if (moving.length === 0) return;
  throw new StoreError(
    `slots are on their way, such as slot ${
      moving[0]!.id
    }: change slot rules when they have arrived ` +
      `(${CONFIG} slot list)`,
  );
}

function refuseMisplaced(found: MisplacedKeys): void {
  if (found.count === 0) return;
  const { count, example, addr, oldSlot, newSlot } = found;
  const keys = count === 1 ? `key ${example} is` : `${found.atLeast}${count} keys are`;
  const such = count === 1 ? "" : `, such as ${example} at ${addr}`;
  throw new StoreError(
    `${keys} there already and would be looked for elsewhere${such} (slot ${oldSlot}, then slot ` +
      `${newSlot}): empty the queue, or delete or rename the keys, then try again`,
  );
}
