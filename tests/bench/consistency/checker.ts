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
import type { Part, PartHost, PartOptions } from "./part.ts";
import { Queues } from "./queues.ts";
import { Subscribers } from "./subscribers.ts";
import { Transactions } from "./transactions.ts";

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
  /** Most `delay` of a task, in milliseconds. */
  readonly delayMsMax: number;
  /** Kinds of {@linkcode FAULT_KINDS}. */
  readonly faults: readonly string[];
  /** How often each kind strikes. */
  readonly kills: number;
  /** What runs beside the load: kinds of {@linkcode PART_KINDS}. */
  readonly parts: readonly string[];
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
  /** What parts have done, by name. */
  readonly partCounts: Readonly<Record<string, number>>;
  /** CPU seconds per second of this process, which has the clients. */
  readonly ownCpu: number;
  /** The first of what is wrong. */
  readonly violations: readonly string[];
  /** How much is wrong. */
  readonly violated: number;
  /** Where proxies and dashboard have logged to; removed when nothing is wrong. */
  readonly logs: string;
}

/** The table of parts. */
const PARTS: Readonly<Record<string, new (options: PartOptions, host: PartHost) => Part>> = {
  transactions: Transactions,
  queues: Queues,
  subscribers: Subscribers,
};

/** The kinds of parts there are. */
export const PART_KINDS: readonly string[] = Object.keys(PARTS);

/** A double of codis-server takes one command after the other: none may block, or be answered later. */
const PARTS_OF_DOUBLE = ["transactions"];

/** Clients of a part, and its steps per second, beside those of the load. */
const PART_SHARE = 1 / 4;

const VIOLATIONS_MAX = 50;
/** Longest time in which no task comes to an end, in milliseconds. */
const STUCK_MS = 90_000;

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
  const host = { port: (dice: Dice) => dice.one(cluster.ports), violated: onViolated };
  const load = new Load({ ...options, mayFail: hasFaults, mayOutlive }, host);
  const parts = partsOf(options).map((kind) => new PARTS[kind]!(partOptions(options), host));
  tell(`fill ${load.items.length} items`);
  await load.fill();
  const moves = new Moves(cluster, new Dice(chance(options.seed)), {
    slots: options.slots,
    cancels: options.cancels,
    delayMsMax: options.delayMsMax,
    mayFail: hasFaults,
    stuckMs: STUCK_MS,
    tell,
  });
  const kills = new Map<string, number>();
  const startedMs = performance.now();
  const cpuBefore = (await processFigures(Deno.pid)).cpuSeconds;
  load.start();
  await Promise.all(parts.map((part) => part.start()));
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
  await Promise.all([load, ...parts].map((each) => each.stop()));
  tell("last look");
  const keys = await audit({
    cluster,
    items: load.items,
    parts,
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
    partCounts: Object.assign({}, ...parts.map(({ counts }) => counts)),
    ownCpu,
    violations,
    violated,
    logs: cluster.logs,
  };
}

function partsOf({ backend, parts }: CheckOptions): readonly string[] {
  const isDouble = backend === "codis" && CODIS_SERVER === undefined;
  return isDouble ? parts.filter((kind) => PARTS_OF_DOUBLE.includes(kind)) : parts;
}

function partOptions(options: CheckOptions): PartOptions {
  const { backend, clients, faults, rate, seed, slots } = options;
  return {
    clients: Math.ceil(clients * PART_SHARE),
    rate: rate * PART_SHARE,
    mayFail: faults.length > 0,
    isOld: backend === "codis",
    seed,
    slots,
  };
}

interface Moving {
  readonly cluster: Cluster;
  readonly moves: Moves;
  readonly tell: (text: string) => void;
}

async function run(
  options: CheckOptions,
  parts: Moving,
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
  return FAULT_KINDS.filter((kind) => kind !== "coordinator" || coordinator !== "embedded");
}
