/**
 * One master after the other is killed, or made to stand still, while clients write; each time all must be
 * well again before the next.
 *
 *      new lists ─► master struck ─► first acknowledged write, of each proxy ─► the old master is back
 *                ─► a replica ─► all is well ─► lists read at the servers: what is lost?
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { chance } from "../../support/fuzz.ts";
import type { ProxyProcess } from "../../support/proxy_process.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { audit } from "../consistency/audit.ts";
import { Cluster, type ClusterOptions } from "../consistency/cluster.ts";
import { timeOf } from "../consistency/item.ts";
import { Load, type Tally } from "../consistency/load.ts";
import { Dice } from "../consistency/operations.ts";
import {
  compareLists,
  keptOf,
  lossesTold,
  membersOf,
  runIdOf,
  tagsOfGroups,
  toldSince,
  WELL_MS,
} from "./group.ts";
import { Ledger, type Way } from "./ledger.ts";

/** What is run. */
export interface KillOptions extends Pick<ClusterOptions, "coordinator" | "cpu" | "proxies"> {
  /** Groups of a master and two replicas. */
  readonly groups: number;
  readonly dashboards: number;
  readonly kills: number;
  /** Kinds of {@linkcode STRIKE_KINDS}. */
  readonly kinds: readonly string[];
  /** Whether they are struck in this order, not by chance. @default false */
  readonly isInTurn?: boolean;
  /** `failover_after`, in seconds. */
  readonly after: number;
  /** `min-replicas-to-write` of the servers, and WAIT of the clients. */
  readonly replicas: number;
  readonly clients: number;
  readonly keys: number;
  /** Commands per second of the load. */
  readonly rate: number;
  /** Nothing is struck any more after this time, in seconds. */
  readonly seconds: number;
  readonly seed: number;
  /** Ends the run early. */
  readonly over: AbortSignal;
  tell(line: string): void;
}

/** What became of one strike. Times are milliseconds. */
export interface Strike {
  readonly kind: string;
  readonly group: number;
  readonly old: string;
  readonly promoted: string;
  /** From the strike to the first acknowledged write of the group, for each proxy. */
  readonly firstMs: readonly number[];
  /** From the strike until everything was well again. */
  readonly wellMs: number;
  readonly acknowledged: number;
  /** Acknowledged writes that are at no server. */
  readonly lost: number;
  /** Those of them that are in a file of lost writes. */
  readonly kept: number;
  /** For how long two servers have acknowledged writes of one slot. */
  readonly overlapMs: number;
  /** What the dashboard said of lost writes. */
  readonly told: readonly string[];
}

/** What a run has come to. */
export interface KillReport {
  readonly strikes: readonly Strike[];
  readonly tally: Tally;
  /** Items of the load that have lost an acknowledged write: without WAIT they may. */
  readonly itemsLost: number;
  readonly violations: readonly string[];
  readonly seconds: number;
  /** Where proxies and dashboards have logged to; removed when nothing is wrong. */
  readonly logs: string;
}

/** What is struck, and how it is undone. */
interface Blow {
  /** Prepares, strikes; returns how the old master is brought back. */
  strike(struck: Struck): Promise<() => Promise<void>>;
  /** How often among the others. */
  readonly weight: number;
}

interface Struck {
  readonly cluster: Cluster;
  readonly master: RedisServer;
  readonly replicas: readonly RedisServer[];
  /** The proxy that is struck, if one is. */
  readonly proxy: ProxyProcess;
  /** Notes the moment. */
  now(): void;
}

const kill = async ({ master, now }: Struck) => {
  now();
  await master.kill();
  return () => master.restart();
};

/** How long replicas are behind before a master dies, in milliseconds: others can connect again meanwhile. */
const LAG_MS = 1_500;

const stop = ({ master, now }: Struck) => {
  now();
  master.pause();
  return Promise.resolve(() => Promise.resolve(master.resume()));
};

const afterLag = (count: number, strike: Blow["strike"]): Blow["strike"] => async (struck) => {
  const lagging = struck.replicas.slice(0, count);
  for (const replica of lagging) replica.pause();
  // What is on its way to one that stands still would still reach it.
  using client = await struck.master.client();
  await client.call("CLIENT", "KILL", "TYPE", "replica");
  await delay(LAG_MS);
  const back = await strike(struck);
  for (const replica of lagging) replica.resume();
  return back;
};

/** The table of strikes. */
const STRIKES: Readonly<Record<string, Blow>> = {
  kill: { weight: 5, strike: kill },
  stop: { weight: 2, strike: stop },
  "one-lags": { weight: 1, strike: afterLag(1, kill) },
  "all-lag": { weight: 1, strike: afterLag(Infinity, kill) },
  "all-lag-stop": { weight: 1, strike: afterLag(Infinity, stop) },
  proxy: {
    weight: 1,
    strike: async (struck) => {
      const killed = struck.proxy.kill();
      const back = await kill(struck);
      await killed;
      return async () => {
        await back();
        await struck.proxy.restart();
      };
    },
  },
  dashboard: {
    weight: 1,
    strike: async (struck) => {
      const { dashboard } = struck.cluster;
      const killed = dashboard.kill();
      const back = await kill(struck);
      await killed;
      return async () => {
        await back();
        await dashboard.restart();
      };
    },
  },
};

/** Those that take a proxy along: it serves nobody meanwhile. */
const TAKE_PROXY = ["proxy"];
/** Those after which the old master still has what only it had. */
const KEEPS = ["stop", "all-lag-stop"];
/** The kinds of strikes there are. */
export const STRIKE_KINDS: readonly string[] = Object.keys(STRIKES);

const REPLICAS = 2;
const LEDGER_EVERY_MS = 20;
/** A write through every proxy that a strike waits for. */
const SETTLED_MS = 30_000;
/** Longest time until a slot is served again; far above what is promised. */
const SERVED_MS = 60_000;

/** Runs it. */
export async function runKills(options: KillOptions): Promise<KillReport> {
  const { replicas } = options;
  const safe = ["--min-replicas-to-write", `${replicas}`, "--min-replicas-max-lag", "2"];
  await using cluster = await Cluster.start({
    ...options,
    backend: "stock",
    isDurable: false,
    owners: options.groups,
    replicas: REPLICAS,
    keepsLost: true,
    config: { failover: "auto", failover_after: options.after },
    serverArgs: replicas > 0 ? safe : [],
  });
  const violations: string[] = [];
  const tell = (text: string) => options.tell(`${timeOf(Date.now())} ${text}`);
  const violated = (text: string) => {
    violations.push(text);
    tell(`WRONG: ${text}`);
  };
  let itemsLost = 0;
  const load = new Load({ ...options, mayFail: true, mayOutlive: false }, {
    port: (dice) => dice.one(cluster.ports),
    // Without WAIT acknowledged writes may be lost; the ledger counts them one by one.
    violated: (text) => replicas > 0 ? violated(text) : void itemsLost++,
  });
  const run = new KillRun(cluster, options, tell, violated);
  const startedMs = performance.now();
  try {
    await load.fill();
    load.start();
    await run.all();
  } catch (error) {
    if (!options.over.aborted) violated((error as Error).stack ?? `${error}`);
  } finally {
    await Promise.all([load.stop(), run.stop()]);
  }
  if (!options.over.aborted && violations.length === 0) {
    tell("last look");
    const look = {
      cluster,
      items: load.items,
      parts: [{ owns: (key: string) => run.owns(key), audit: () => Promise.resolve() }],
      hadFaults: run.strikes.some(({ kind }) => kind === "dashboard" || kind === "proxy"),
      violated: (text: string) => replicas > 0 ? violated(text) : void itemsLost++,
    };
    await audit(look).catch((error) => violated(`the last look failed: ${error.stack}`));
  }
  if (violations.length === 0) await cluster.forgetLogs();
  return {
    strikes: run.strikes,
    tally: load.tally,
    itemsLost,
    violations,
    seconds: (performance.now() - startedMs) / 1000,
    logs: cluster.logs,
  };
}

class KillRun {
  readonly strikes: Strike[] = [];
  readonly #cluster: Cluster;
  readonly #options: KillOptions;
  readonly #dice: Dice;
  readonly #tell: (text: string) => void;
  readonly #violated: (text: string) => void;
  readonly #ways: readonly Way[];
  readonly #tags: readonly (readonly string[])[];
  readonly #ledger: Ledger;

  constructor(
    cluster: Cluster,
    options: KillOptions,
    tell: (text: string) => void,
    violated: (text: string) => void,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#dice = new Dice(chance(options.seed));
    this.#tell = tell;
    this.#violated = violated;
    this.#ways = cluster.proxies.map(({ host, port }, i) => ({
      name: `proxy_${i + 1}`,
      host,
      port,
    }));
    this.#tags = tagsOfGroups(options.groups, 1);
    const { replicas } = options;
    this.#ledger = new Ledger({
      ...{ ways: this.#ways, tags: this.#tags.flat(), everyMs: LEDGER_EVERY_MS, replicas },
    });
  }

  /** Whether a key is one of the ledger's. */
  owns(key: string): boolean {
    return this.#tags.flat().some((tag) => key.startsWith(tag));
  }

  stop(): Promise<void> {
    return this.#ledger.stop();
  }

  async all(): Promise<void> {
    const { kills, over, seconds } = this.#options;
    const endMs = performance.now() + seconds * 1000;
    await until(() => this.#cluster.isWell(), WELL_MS);
    while (this.strikes.length < kills && !over.aborted && performance.now() < endMs) {
      await this.#one();
    }
  }

  #kind(): string {
    const { isInTurn, kinds } = this.#options;
    if (isInTurn === true) return kinds[this.strikes.length % kinds.length]!;
    const bag = kinds.flatMap((kind) => Array.from({ length: STRIKES[kind]!.weight }, () => kind));
    return this.#dice.one(bag);
  }

  async #one(): Promise<void> {
    const ledger = this.#ledger;
    const kind = this.#kind();
    const group = this.#dice.between(1, this.#options.groups);
    const [master, ...replicas] = await membersOf(this.#cluster, group);
    const old = master!.addr;
    const oldId = await runIdOf(master!);
    ledger.begin();
    const tags = this.#tags[group - 1]!;
    const at = this.#dice.below(this.#ways.length);
    let ways = this.#ways;
    const each = <T>(of: (way: Way, tag: string) => T) =>
      ways.flatMap((way) => tags.map((tag) => of(way, tag)));
    await this.#until(
      "writes before the strike",
      SETTLED_MS,
      () => each((way, tag) => ledger.firstAfter(way, tag, 0) !== undefined).every(Boolean),
    );
    await delay(this.#dice.between(0, 500));

    const before = await lossesTold(this.#cluster);
    let struckMs = 0;
    this.#tell(`${this.strikes.length + 1}: ${kind} ${old}, the master of group ${group}`);
    const back = await STRIKES[kind]!.strike({
      ...{ cluster: this.#cluster, master: master!, replicas, proxy: this.#cluster.proxies[at]! },
      now: () => struckMs = performance.now(),
    });
    if (TAKE_PROXY.includes(kind)) ways = ways.filter((way) => way !== this.#ways[at]);
    await this.#until(
      "a write through every proxy",
      SERVED_MS,
      () =>
        each((way, tag) => ledger.firstAfter(way, tag, struckMs, oldId) !== undefined).every(
          Boolean,
        ),
    ).catch((error) => {
      this.#options.over.throwIfAborted();
      this.#violated(`${error.message}: ${JSON.stringify(Object.fromEntries(ledger.errors))}`);
    });
    const firstMs = each((way, tag) =>
      Math.round((ledger.firstAfter(way, tag, struckMs, oldId)?.atMs ?? Infinity) - struckMs)
    );
    await delay(this.#dice.between(0, 1_000));
    await back();
    // What the dashboard shows is old until the failover is done, after the first writes.
    await this.#until(
      "all well",
      WELL_MS,
      async () =>
        await this.#cluster.isWell() && (await membersOf(this.#cluster, group))[0]!.addr !== old,
    );
    const wellMs = Math.round(performance.now() - struckMs);

    const promoted = (await membersOf(this.#cluster, group))[0]!;
    const { acknowledged } = ledger;
    const { doubled, lost } = await compareLists(ledger, promoted, tags);
    for (const key of doubled) this.#violated(`tokens of ${key} were written twice`);
    const told = await toldSince(this.#cluster, before);
    const kept = await keptOf(this.#cluster.logs, lost);
    const strike: Strike = {
      ...{ kind, group, old, promoted: promoted.addr, firstMs, wellMs, kept, told },
      lost: lost.length,
      acknowledged: acknowledged.filter(({ tag }) => tags.includes(tag)).length,
      overlapMs: Math.round(ledger.overlaps()[0]?.ms ?? 0),
    };
    this.strikes.push(strike);
    this.#tell(
      `${promoted.addr} is master; first writes after ${firstMs.join(", ")} ms, ` +
        `well after ${wellMs} ms, lost ${strike.lost} of ${strike.acknowledged}, kept ${kept}` +
        (told.length === 0 ? "" : `; told: ${told.join("; ")}`),
    );
    if (strike.lost > 0 && this.#options.replicas > 0) {
      this.#violated(`${strike.lost} acknowledged writes of group ${group} are lost (${kind})`);
    }
    if (strike.lost > 0 && told.length === 0) {
      this.#violated(`nobody has told of ${strike.lost} writes of group ${group} that are lost`);
    }
    if (kept < strike.lost && KEEPS.includes(kind)) {
      this.#violated(
        `${strike.lost - kept} lost writes of group ${group} are in no file (${kind})`,
      );
    }
    if (strike.overlapMs > this.#options.after * 1000) {
      this.#violated(
        `two masters of group ${group} have acknowledged writes for ${strike.overlapMs} ms`,
      );
    }
  }

  async #until(what: string, ms: number, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const { over } = this.#options;
    try {
      await until(async () => over.aborted || await isTrue(), ms);
    } catch {
      throw new Error(`${what}: not within ${ms} ms`);
    }
    over.throwIfAborted();
  }
}
