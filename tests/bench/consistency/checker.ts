/**
 * A whole run: a cluster, clients that know what must be there, slots that move, faults, and the last
 * look.
 *
 *      fill ─► rounds of moves, with cancels ──────────────► home ─► clients stop ─► last look
 *                └─ beside them, where asked for: faults ─┘
 *
 * @module
 */

import { CODIS_SERVER } from "../../support/codis_server.ts";
import { chance } from "../../support/fuzz.ts";
import { until } from "../../support/deadline.ts";
import { processFigures } from "../../support/process_figures.ts";
import { audit } from "./audit.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { FAULT_KINDS, strikeAll } from "./faults.ts";
import { timeOf } from "./item.ts";
import { Load, type Tally } from "./load.ts";
import { Moves } from "./moves.ts";
import { Dice } from "./operations.ts";

/** What is run. */
export interface CheckOptions extends Omit<ClusterOptions, "isDurable"> {
  readonly clients: number;
  readonly keys: number;
  /** Commands per second, of all clients together. */
  readonly rate: number;
  /** Rounds of moves; with faults, moves go on until all have struck. */
  readonly rounds: number;
  /** Slots that go round, from slot 0 on. */
  readonly slots: number;
  /** Tasks cancelled in each round. */
  readonly cancels: number;
  /** Kinds of {@linkcode FAULT_KINDS}. */
  readonly faults: readonly string[];
  /** How often each kind strikes. */
  readonly kills: number;
  /** Longest time of the moves and faults, in seconds. */
  readonly seconds: number;
  readonly seed: number;
  /** Hears of what happens. */
  tell(line: string): void;
}

/** What a run has come to. */
export interface Report extends Tally {
  readonly seconds: number;
  readonly items: number;
  /** Keys in the end. */
  readonly keys: number;
  readonly slotsMoved: number;
  readonly cancelled: number;
  readonly kills: Readonly<Record<string, number>>;
  /** CPU seconds per second of this process, which has the clients. */
  readonly ownCpu: number;
  /** The first of what is wrong. */
  readonly violations: readonly string[];
  /** How much is wrong. */
  readonly violated: number;
  /** Where proxies and dashboard have logged to; removed when nothing is wrong. */
  readonly logs: string;
}

const VIOLATIONS_MAX = 50;
/** Longest time in which no task comes to an end, in milliseconds. */
const STUCK_MS = 90_000;
/** Most `delay` of a task, in milliseconds; with faults slots are to be on their way for longer. */
const DELAY_MS = { calm: 2, faults: 20 };

/** Runs it. */
export async function runChecker(options: CheckOptions): Promise<Report> {
  const hasFaults = options.faults.length > 0;
  const isDurable = options.faults.some((kind) => kind === "source" || kind === "target");
  await using cluster = await Cluster.start({ ...options, isDurable });
  const violations: string[] = [];
  let violated = 0;
  const tell = (text: string) => options.tell(`${timeOf(Date.now())} ${text}`);
  const onViolated = (text: string) => {
    if (++violated > VIOLATIONS_MAX) return;
    violations.push(text);
    tell(`WRONG: ${text}`);
  };
  // A real codis-server writes SLOTSRESTORE into its file with the time that is left, not with the end: the
  // key lives that long again from the server's next start on.
  const mayOutlive = isDurable && options.backend === "codis" && CODIS_SERVER !== undefined;
  const load = new Load({ ...options, mayFail: hasFaults, mayOutlive }, {
    port: (dice) => dice.one(cluster.ports),
    violated: onViolated,
  });
  tell(`fill ${load.items.length} items`);
  await load.fill();
  const moves = new Moves(cluster, new Dice(chance(options.seed)), {
    slots: options.slots,
    cancels: options.cancels,
    delayMsMax: hasFaults ? DELAY_MS.faults : DELAY_MS.calm,
    mayFail: hasFaults,
    stuckMs: STUCK_MS,
    tell,
  });
  const kills = new Map<string, number>();
  const startedMs = performance.now();
  const cpuBefore = (await processFigures(Deno.pid)).cpuSeconds;
  load.start();
  const over = AbortSignal.timeout(options.seconds * 1000);
  try {
    await run(options, { cluster, moves, tell }, kills, over);
    tell("back to the first two groups");
    await moves.home();
    await until(() => cluster.isWell(), STUCK_MS);
  } catch (error) {
    onViolated((error as Error).stack ?? `${error}`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const ownCpu = ((await processFigures(Deno.pid)).cpuSeconds - cpuBefore) / seconds;
  await load.stop();
  tell("last look");
  const keys = await audit({
    cluster,
    items: load.items,
    hadFaults: hasFaults,
    violated: onViolated,
  }).catch((error) => {
    onViolated(`the last look failed: ${error.stack}`);
    return 0;
  });
  if (violated === 0) await cluster.forgetLogs();
  return {
    ...load.tally,
    seconds,
    items: load.items.length,
    keys,
    slotsMoved: moves.slotsMoved,
    cancelled: moves.cancelled,
    kills: Object.fromEntries(kills),
    ownCpu,
    violations,
    violated,
    logs: cluster.logs,
  };
}

interface Parts {
  readonly cluster: Cluster;
  readonly moves: Moves;
  readonly tell: (text: string) => void;
}

async function run(
  options: CheckOptions,
  parts: Parts,
  kills: Map<string, number>,
  over: AbortSignal,
): Promise<void> {
  const { moves, tell } = parts;
  let isStriking = options.faults.length > 0;
  const failed = new AbortController();
  const striking = strikeAll(
    parts,
    new Dice(chance(options.seed + 1)),
    options.faults,
    options.kills,
    kills,
    AbortSignal.any([over, failed.signal]),
  ).finally(() => isStriking = false);
  striking.catch(() => {}); // awaited below
  try {
    for (let round = 1; (round <= options.rounds || isStriking) && !over.aborted; round++) {
      tell(`round ${round}`);
      await moves.round();
    }
  } catch (error) {
    failed.abort();
    await striking.catch(() => {});
    throw error;
  }
  if (over.aborted) tell(`${options.seconds} seconds are over`);
  await striking;
}

/** The kinds that a word of the command line means. */
export function faultKinds(word: string, coordinator: CheckOptions["coordinator"]): string[] {
  if (word === "none") return [];
  if (word !== "all") return [word];
  return FAULT_KINDS.filter((kind) => kind !== "coordinator" || coordinator === "zookeeper");
}
