/**
 * Moves a product to another coordinator, while its proxies serve.
 *
 *     old store                                new store
 *       │                                        │ note: arriving; empty but for that
 *       │ ─────────────── copied ──────────────► │
 *       │ the lead is ours: nobody changes it    │
 *       │ ───────── copied, what is new ───────► │
 *       │ note: moved  ◄── the one moment from which on the product is there, and can only go on
 *       │ ─────────────── fences ──────────────► │ what may serve by the old store keeps all from being changed
 *       │                                        │ note removed: led, and served, from now on
 *       │ proxies, dashboards go over ─────────► │
 *
 * Before that moment, whatever goes wrong leaves the old store as it was. After it, the same command goes on
 * where it was interrupted. Both stores never take changes at the same time: see `store/moves.ts`.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { delay } from "@std/async/delay";
import { isSurelyGone } from "../base/process_life.ts";
import { ConnectionLossError, NodeExistsError, NoNodeError } from "../coordinator/errors.ts";
import { decodeDashboard, encodeDashboard } from "../model/dashboard.ts";
import { encodeProductMove } from "../model/product_move.ts";
import { loadActionNames } from "../store/actions.ts";
import { type DumpEntries, durableEntries } from "../store/dump.ts";
import {
  createFence,
  deadFences,
  deleteFenceOf,
  loadFenceNotes,
  loadFences,
} from "../store/fences.ts";
import { withLock } from "../store/lock.ts";
import { configLines, loadActionsBefore, loadMove, storeText } from "../store/moves.ts";
import { loadProxies } from "../store/proxies.ts";
import { checkUnused, makeLike } from "../store/restore.ts";
import {
  createFolders,
  createIfMissing,
  deleteIfThere,
  LEAF,
  readIfThere,
  saveEntry,
  type Store,
  StoreError,
} from "../store/store.ts";
import { planMove, type ProductMoveOptions } from "./move_plan.ts";

/** How long a change that is being made may take to end, in milliseconds. */
const CHANGE_MS = 30_000;
/** How often another dashboard may be faster than who says that none leads any more. */
const CLOSE_TRIES = 20;
/** Time between two looks, in milliseconds. */
const LOOK_MS = 100;
/** How long processes may take to go over, in milliseconds. */
const FOLLOW_MS = 30_000;

/** What was done. */
export interface ProductMoveOutcome {
  readonly entries: number;
  /** How long nothing could be changed, until all had gone over, in milliseconds; 0: it went on with a move. */
  readonly heldMs: number;
  /** The addresses of proxies that have gone over. */
  readonly followed: readonly string[];
  /** Those that have not yet: until they have, nothing can be changed. */
  readonly missing: readonly string[];
}

/**
 * Moves the product, or goes on with a move that was interrupted.
 *
 * @throws {StoreError | CoordinatorError} When that fails: the message says whether the product has moved.
 */
export async function moveProduct(options: ProductMoveOptions): Promise<ProductMoveOutcome> {
  const { source, tell, to } = options;
  return await withLock(source, "config move", async () => {
    const { stage } = await planMove(options);
    const moved = stage === "new" ? await moveAll(options) : undefined;
    if (stage === "begun") tell(`the product has moved to ${storeText(to)} already: going on`);
    try {
      const done = await finish(options, moved?.copied);
      const heldMs = moved === undefined ? 0 : Math.round(performance.now() - moved.heldFromMs);
      return { ...done, heldMs };
    } catch (error) {
      throw new StoreError(
        `the product has moved to ${
          storeText(to)
        }, but not all is done, clients are served: run this again: ${(error as Error).message}`,
        { cause: error },
      );
    }
  });
}

/** Copies the product, and says in the old store that it has moved. */
async function moveAll(
  options: ProductMoveOptions,
): Promise<{ readonly copied: DumpEntries; readonly heldFromMs: number }> {
  const { source, target, from, to, tell } = options;
  const id = crypto.randomUUID();
  const at = new Date().toISOString();
  await emptyTarget(options, encodeProductMove({ kind: "arriving", id, ...from, at }));
  try {
    await createFolders(target);
    // Most of it, while all goes on.
    let copied = await durableEntries(source);
    await makeLike(target, copied);
    tell(`${countOf(copied.size, "entry", "entries")} copied to ${storeText(to)}`);
    const lead = await takeLead(source);
    const heldFromMs = performance.now();
    try {
      copied = await copyAgain(options, copied);
      const there = await loadMove(target);
      if (there?.id !== id) throw new StoreError(`somebody else has changed ${storeText(to)}`);
      await leaveNote(source, encodeProductMove({ kind: "moved", id, ...to, at }), lead.epoch);
    } catch (error) {
      await leave(source, lead).catch(() => {}); // it ends with this session
      throw error;
    }
    return { copied, heldFromMs };
  } catch (error) {
    if (error instanceof UnknownOutcomeError) throw error;
    // What is left there, the next try removes.
    await deleteOwn(target, id).catch(() => {});
    throw new StoreError(`nothing was changed: ${(error as Error).message}`, { cause: error });
  }
}

/** What a move has copied is deleted; what somebody else has put in its place stays. */
async function deleteOwn(target: Store, id: string): Promise<void> {
  if ((await loadMove(target))?.id !== id) return;
  await target.coordinator.deleteTree(target.paths.root);
}

/** Whether the product has moved cannot be known now. */
class UnknownOutcomeError extends Error {
  override readonly name = "UnknownOutcomeError";
}

/** The target has the note, and nothing else, and nobody uses it. */
async function emptyTarget({ target, to }: ProductMoveOptions, note: string): Promise<void> {
  const { coordinator, paths } = target;
  // An earlier try, or what the product has left behind when it moved away from there.
  if (await loadMove(target) !== undefined) await coordinator.deleteTree(paths.root);
  await coordinator.create(paths.move, note, "persistent", LEAF);
  try {
    // Who comes later sees the note.
    await checkUnused(target);
  } catch (error) {
    await deleteIfThere(target, paths.move);
    throw new StoreError(`${storeText(to)}: ${(error as Error).message}`, { cause: error });
  }
}

/** The lead, taken from the dashboards. */
interface Lead {
  /** What the entry of the dashboard that leads holds. */
  readonly own: string;
  /** The version of the epoch, which is another one as soon as somebody else leads. */
  readonly epoch: number;
}

/**
 * Leads the product as a dashboard would: those that there are change nothing from now on.
 *
 * @throws {StoreError} When a change is not finished in time.
 */
async function takeLead(store: Store): Promise<Lead> {
  const untilMs = performance.now() + CHANGE_MS;
  while (performance.now() < untilMs) {
    if (!await isUnfinished(store)) {
      const lead = await tryLead(store);
      if (lead !== undefined && !await isUnfinished(store)) return lead;
      // Who led finishes what has just begun.
      if (lead !== undefined) await leave(store, lead);
    }
    await delay(LOOK_MS);
  }
  throw new StoreError(
    "a change is not finished: codis-proxy config status tells which; without a dashboard, start one, which " +
      "finishes or undoes it",
  );
}

async function isUnfinished(store: Store): Promise<boolean> {
  return await readIfThere(store, store.paths.intent) !== undefined;
}

/** @returns Undefined when a dashboard begins or ends to lead meanwhile. */
async function tryLead(store: Store): Promise<Lead | undefined> {
  const { coordinator, paths } = store;
  const before = await readIfThere(store, paths.dashboard);
  const addr = before === undefined ? "" : decodeDashboard(before).addr;
  const own = encodeDashboard({ addr, pid: Deno.pid });
  try {
    if (before === undefined) await coordinator.create(paths.dashboard, own, "ephemeral");
    else await coordinator.adopt(paths.dashboard, own);
  } catch (error) {
    if (error instanceof NodeExistsError || error instanceof NoNodeError) return undefined;
    throw error;
  }
  await createIfMissing(store, paths.dashboardEpoch, "");
  return { own, epoch: await coordinator.write(paths.dashboardEpoch, own) };
}

async function leave(store: Store, { own }: Lead): Promise<void> {
  const { dashboard } = store.paths;
  if (await readIfThere(store, dashboard) === own) await deleteIfThere(store, dashboard);
}

/** From here on the product is in the other store. */
async function leaveNote(store: Store, data: string, epoch: number): Promise<void> {
  const { coordinator, paths } = store;
  try {
    await coordinator.transact([
      { check: paths.dashboardEpoch, version: epoch },
      { create: paths.move, data, isLeaf: true },
    ]);
  } catch (error) {
    if (!(error instanceof ConnectionLossError)) throw error;
    if (await isWritten(store, data)) return;
    throw error;
  }
}

/** Whether a note was written although no answer came. */
async function isWritten(store: Store, data: string): Promise<boolean> {
  const { coordinator, paths } = store;
  try {
    // With another epoch, what is still on its way cannot be written any more.
    await coordinator.write(paths.dashboardEpoch, "");
    return await readIfThere(store, paths.move) === data;
  } catch (cause) {
    throw new UnknownOutcomeError(
      `it is not known whether the product has moved, clients are served: run this again: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}

/**
 * Copies what has changed since it was copied.
 *
 * @param copied Undefined: that is not known.
 */
async function copyAgain(
  { source, target }: ProductMoveOptions,
  copied: DumpEntries | undefined,
): Promise<DumpEntries> {
  const entries = await durableEntries(source);
  if (copied === undefined || !areSame(entries, copied)) await makeLike(target, entries);
  return entries;
}

/** Opens the new store, and waits until all have gone over. */
async function finish(
  options: ProductMoveOptions,
  copied: DumpEntries | undefined,
): Promise<Omit<ProductMoveOutcome, "heldMs">> {
  const { source, target, tell, to } = options;
  await closeSource(options);
  const there = await loadMove(target);
  const fences = await loadFenceNotes(source);
  let entries = copied?.size ?? 0;
  if (there?.kind === "arriving") {
    // Somebody who led may have been about to write.
    ({ size: entries } = await copyAgain(options, copied));
    const newest = (await loadActionNames(source)).at(-1) ?? "0";
    const before = await loadActionsBefore(source) + Number(newest) + 1;
    await saveEntry(target, target.paths.actionsBefore, `${before}`);
    for (const [addr, note] of fences) await createFence(target, addr, note);
    await deleteIfThere(target, target.paths.move);
    tell(`the product is in ${storeText(to)} now; config.ini must say ${configLines(to)}`);
  }
  const missing = await untilFollowed(options, [...fences.keys()]);
  const followed = [...fences.keys()].filter((addr) => !missing.includes(addr));
  return { entries, followed, missing };
}

/** A dashboard that knows nothing of moves, an older one or Codis 2.0's, never leads where the product has gone from. */
async function closeSource({ source, to }: ProductMoveOptions): Promise<void> {
  const { coordinator, paths } = source;
  const closed = encodeDashboard({ addr: `moved to ${storeText(to)}`, pid: 0 });
  for (let tries = 0; await readIfThere(source, paths.dashboard) !== closed; tries++) {
    await deleteIfThere(source, paths.dashboard);
    try {
      await coordinator.create(paths.dashboard, closed, "persistent", LEAF);
    } catch (error) {
      if (!(error instanceof NodeExistsError) || tries === CLOSE_TRIES) throw error;
    }
  }
  // Who led is deposed.
  await coordinator.write(paths.dashboardEpoch, closed);
}

/** Waits until all who may serve have gone over; returns the addresses of those that have not. */
async function untilFollowed(
  { target, followMs = FOLLOW_MS }: ProductMoveOptions,
  addrs: readonly string[],
): Promise<string[]> {
  const untilMs = performance.now() + followMs;
  for (;;) {
    const missing: string[] = [];
    for (const addr of deadFences(addrs, await loadProxies(target))) {
      if (!await deleteFenceOf(target, addr, isSurelyGone)) missing.push(addr);
    }
    const fenced = await loadFences(target);
    const left = missing.filter((addr) => fenced.includes(addr));
    if (left.length === 0 || performance.now() > untilMs) return left;
    await delay(LOOK_MS);
  }
}

function areSame(one: DumpEntries, two: DumpEntries): boolean {
  return JSON.stringify([...one]) === JSON.stringify([...two]);
}
