/**
 * Networks that lose packets between the programs of a cluster, in one direction or both, and what the
 * failover makes of it: one row for each case.
 *
 *      new lists ─► packets are lost for a while, writers go on ─► healed ─► one master, all follow it
 *                                                             └─► who acknowledged what, and is it there?
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { Cluster } from "../consistency/cluster.ts";
import { timeOf } from "../consistency/item.ts";
import {
  compareLists,
  hearsAll,
  lossesTold,
  membersOf,
  runIdOf,
  tagsOfGroups,
  toldSince,
  WELL_MS,
} from "./group.ts";
import { Ledger, type Way } from "./ledger.ts";
import { type Loss, Networks } from "./networks.ts";

/** What is run. */
export interface PartitionOptions {
  /** Names of {@linkcode PARTITIONS}. */
  readonly cases: readonly string[];
  readonly coordinator: "embedded" | "zookeeper";
  /** `failover_after`, in seconds. */
  readonly after: number;
  /** How long packets are lost, in seconds. */
  readonly seconds: number;
  /** `min-replicas-to-write` of the servers. */
  readonly replicas: number;
  /** Ends the run early. */
  readonly over: AbortSignal;
  tell(line: string): void;
}

/** What became of one case. */
export interface PartitionResult {
  readonly name: string;
  readonly expected: "promoted" | "not promoted";
  readonly seen: "promoted" | "not promoted";
  /** By proxy: which server acknowledged its writes at the end of the loss. */
  readonly writes: readonly ("old" | "new" | "none")[];
  readonly expectedWrites: readonly string[];
  /** From the loss to the first write that a new master acknowledged, in milliseconds. */
  readonly firstMs: number | null;
  /** For how long two servers acknowledged writes of one slot, in milliseconds. */
  readonly overlapMs: number;
  readonly acknowledged: number;
  /** Acknowledged writes that are nowhere in the end. */
  readonly lost: number;
  /** What the dashboard said of them. */
  readonly told: readonly string[];
  /** From the healing until all was well, in milliseconds. */
  readonly wellMs: number;
  /** What is wrong. */
  readonly wrong: readonly string[];
}

/** What a run has come to. */
export interface PartitionReport {
  readonly results: readonly PartitionResult[];
  /** Where proxies and dashboard have logged to; removed when nothing is wrong. */
  readonly logs: string;
}

/** A party of a case: some of the programs. */
type Party = "dashboard" | "coordinator" | "master" | "replicas" | `proxy ${1 | 2 | 3}` | "proxies";

/** Each side loses what the other sends; with `one way`, only the second loses what the first one sends. */
type Cut = readonly [from: readonly Party[], to: readonly Party[], "both ways" | "one way"];

interface Case {
  readonly cuts: readonly Cut[];
  readonly isPromoted: boolean;
  /** By proxy, what acknowledges its writes at the end; left out: `new` after a promotion, else `old`. */
  readonly writes?: readonly ("old" | "new" | "none")[];
  /** Cases that need a coordinator in a network of its own. */
  readonly needsRemote?: true;
}

const both = (from: readonly Party[], to: readonly Party[]): Cut => [from, to, "both ways"];
const oneWay = (from: readonly Party[], to: readonly Party[]): Cut => [from, to, "one way"];
const [M, R, D, C, ALL] = ["master", "replicas", "dashboard", "coordinator", "proxies"] as const;
const [P1, P2, P3] = ["proxy 1", "proxy 2", "proxy 3"] as const;

/** The table of cases: what loses what, and what must follow. */
export const PARTITIONS: Readonly<Record<string, Case>> = {
  "dashboard | most proxies": { cuts: [both([D], [P1, P2])], isPromoted: false },
  "dashboard | master": { cuts: [both([D], [M])], isPromoted: false },
  "dashboard | master, most proxies": { cuts: [both([D], [M, P1, P2])], isPromoted: false },
  "dashboard, proxy 3 | master, proxies 1 and 2": {
    cuts: [both([D, P3], [M, P1, P2])],
    isPromoted: false,
    writes: ["old", "old", "none"],
  },
  "dashboard | everything": { cuts: [both([D], [M, R, ALL, C])], isPromoted: false },
  "proxy 1 | master": {
    cuts: [both([P1], [M])],
    isPromoted: false,
    writes: ["none", "old", "old"],
  },
  "most proxies | master": {
    cuts: [both([P1, P2], [M])],
    isPromoted: false,
    writes: ["none", "none", "old"],
  },
  "master | everything": { cuts: [both([M], [D, ALL, R])], isPromoted: true },
  "master | all but proxy 3": { cuts: [both([M], [D, P1, P2, R])], isPromoted: true },
  // Proxy 3 steps back before: the master does not hear from its replicas.
  "master, proxy 3 | all others": {
    cuts: [both([M], [D, P1, P2, R]), both([P3], [D, C, P1, P2, R])],
    isPromoted: true,
    writes: ["new", "new", "none"],
    needsRemote: true,
  },
  "master | replicas": { cuts: [both([M], [R])], isPromoted: false },
  "master | replicas, dashboard": { cuts: [both([M], [R, D])], isPromoted: false },
  "proxy 1 | coordinator": { cuts: [both([P1], [C])], isPromoted: false, needsRemote: true },
  "proxy 1 | coordinator, and master | replicas": {
    cuts: [both([P1], [C]), both([M], [R])],
    isPromoted: false,
    writes: ["none", "old", "old"],
    needsRemote: true,
  },
  "all proxies | coordinator": { cuts: [both([ALL], [C])], isPromoted: false, needsRemote: true },
  "dashboard | coordinator": { cuts: [both([D], [C])], isPromoted: false, needsRemote: true },
  "master → dashboard": { cuts: [oneWay([M], [D])], isPromoted: false },
  "dashboard → master": { cuts: [oneWay([D], [M])], isPromoted: false },
  "master → proxies": {
    cuts: [oneWay([M], [ALL])],
    isPromoted: false,
    writes: ["none", "none", "none"],
  },
  "proxies → master": {
    cuts: [oneWay([ALL], [M])],
    isPromoted: false,
    writes: ["none", "none", "none"],
  },
  "master → everything": { cuts: [oneWay([M], [D, ALL, R])], isPromoted: true },
  "everything → master": { cuts: [oneWay([D, ALL, R], [M])], isPromoted: true },
  "most proxies → dashboard": { cuts: [oneWay([P1, P2], [D])], isPromoted: false },
  "dashboard → most proxies": { cuts: [oneWay([D], [P1, P2])], isPromoted: false },
  "master → replicas": { cuts: [oneWay([M], [R])], isPromoted: false },
  "replicas → master": { cuts: [oneWay([R], [M])], isPromoted: false },
};

const PROXIES = 3;
const REPLICAS = 2;
const SERVERS = 1 + REPLICAS;
const LEDGER_EVERY_MS = 20;
/** How long before the end of the loss its lasting effect is looked at, in milliseconds. */
const LAST_MS = 1_500;
const SETTLED_MS = 30_000;

/** Runs it. */
export async function runPartitions(options: PartitionOptions): Promise<PartitionReport> {
  const { coordinator, replicas } = options;
  const names = [
    "coordinator",
    "dashboard 1",
    ...Array.from({ length: PROXIES }, (_, i) => `proxy ${i + 1}`),
    ...Array.from({ length: SERVERS }, (_, i) => `server ${i + 1}`),
  ];
  await using networks = await Networks.make(names);
  const safe = ["--min-replicas-to-write", `${replicas}`, "--min-replicas-max-lag", "2"];
  await using cluster = await Cluster.start({
    ...{ coordinator, backend: "stock", cpu: 1, proxies: PROXIES, isDurable: false },
    ...{ groups: 1, owners: 1, replicas: REPLICAS },
    config: { failover: "auto", failover_after: options.after, protected_mode: "no" },
    serverArgs: ["--protected-mode", "no", ...replicas > 0 ? safe : []],
    placeOf: (name) => networks.placeOf(name),
  });
  const ways = cluster.proxies.map(({ host, port }, i) => ({ name: `proxy ${i + 1}`, host, port }));
  const ledger = new Ledger({
    ...{ ways, tags: tagsOfGroups(1, 1)[0]!, everyMs: LEDGER_EVERY_MS, replicas: 0 },
  });
  const results: PartitionResult[] = [];
  try {
    for (const name of options.cases) {
      if (options.over.aborted) break;
      results.push(await new PartitionRun(cluster, networks, ledger, ways, options).run(name));
    }
  } finally {
    await ledger.stop();
  }
  if (results.every(({ wrong }) => wrong.length === 0)) await cluster.forgetLogs();
  return { results, logs: cluster.logs };
}

/** One case. */
class PartitionRun {
  readonly #cluster: Cluster;
  readonly #networks: Networks;
  readonly #ledger: Ledger;
  readonly #ways: readonly Way[];
  readonly #options: PartitionOptions;

  constructor(
    cluster: Cluster,
    networks: Networks,
    ledger: Ledger,
    ways: readonly Way[],
    options: PartitionOptions,
  ) {
    this.#cluster = cluster;
    this.#networks = networks;
    this.#ledger = ledger;
    this.#ways = ways;
    this.#options = options;
  }

  async run(name: string): Promise<PartitionResult> {
    const { after, over, seconds } = this.#options;
    const { cuts, isPromoted, writes } = PARTITIONS[name]!;
    const tell = (text: string) => this.#options.tell(`${timeOf(Date.now())} ${name}: ${text}`);
    const ledger = this.#ledger;
    const [tag] = tagsOfGroups(1, 1)[0] as [string];
    await until(() => over.aborted || this.#cluster.isWell(), WELL_MS);
    const members = await membersOf(this.#cluster, 1);
    const old = members[0]!;
    // After a cut, that takes until the next time the system sends lost packets again.
    await until(() => over.aborted || hearsAll(old, members.length - 1), WELL_MS);
    const oldId = await runIdOf(old);
    ledger.begin();
    await until(
      () => over.aborted || this.#ways.every((way) => ledger.firstAfter(way, tag, 0) !== undefined),
      SETTLED_MS,
    );
    const before = await lossesTold(this.#cluster);
    const sinceMs = performance.now();
    const wrong: string[] = [];
    await this.#networks.lose(this.#losses(cuts, old, members));
    await untilOver(seconds * 1000, over);
    const byProxy = this.#ways.map((way) => {
      const last = ledger.acknowledged.findLast((each) =>
        each.way === way.name && each.atMs > performance.now() - LAST_MS
      );
      return last === undefined ? "none" : last.server === oldId ? "old" : "new";
    });
    const healedMs = performance.now();
    await this.#networks.lose([]);
    await this.#converge().catch((error) => wrong.push((error as Error).message));
    const wellMs = Math.round(performance.now() - healedMs);

    const master = (await membersOf(this.#cluster, 1))[0]!;
    const first = ledger.acknowledged.find(({ server }) => server !== oldId);
    const seen = master === old ? "not promoted" : "promoted";
    const expected = isPromoted ? "promoted" : "not promoted";
    const expectedWrites = writes ?? this.#ways.map(() => isPromoted ? "new" : "old");
    const findings = await compareLists(ledger, master, [tag]);
    const lost = findings.lost.length;
    const told = await toldSince(this.#cluster, before);
    const overlapMs = Math.round(ledger.overlaps()[0]?.ms ?? 0);
    if (seen !== expected) wrong.push(`it was ${seen}`);
    if (byProxy.join() !== expectedWrites.join()) {
      wrong.push(`writes went to ${byProxy.join(", ")}`);
    }
    if (overlapMs > after * 1000) wrong.push(`two masters acknowledged for ${overlapMs} ms`);
    if (findings.doubled.length > 0) wrong.push("tokens were written twice");
    if (lost > 0 && seen === "not promoted") wrong.push(`${lost} writes are lost`);
    if (lost > 0 && told.length === 0) wrong.push(`nobody has told of ${lost} lost writes`);
    const firstMs = first === undefined ? null : Math.round(first.atMs - sinceMs);
    tell(
      `${seen}, writes at ${byProxy.join(", ")}, two masters ${overlapMs} ms, ` +
        `lost ${lost} of ${ledger.acknowledged.length}, well after ${wellMs} ms` +
        told.map((text) => `; told: ${text}`).join("") +
        (wrong.length === 0 ? "" : `; WRONG: ${wrong.join("; ")}`),
    );
    return {
      ...{ name, expected, seen, writes: byProxy, expectedWrites, firstMs, overlapMs },
      ...{ acknowledged: ledger.acknowledged.length, lost, told, wellMs, wrong },
    };
  }

  /** All is well, every server but the master follows it, and every proxy writes to it. */
  async #converge(): Promise<void> {
    const { over } = this.#options;
    const cluster = this.#cluster;
    await until(() => over.aborted || cluster.isWell(), WELL_MS).catch(() => {
      throw new Error(`not well within ${WELL_MS / 1000} s of the healing`);
    });
    const healedMs = performance.now();
    const master = (await membersOf(cluster, 1))[0]!;
    const id = await runIdOf(master);
    const writesThere = (way: Way) =>
      this.#ledger.acknowledged.some((each) =>
        each.way === way.name && each.sentMs > healedMs && each.server === id
      );
    await until(() => over.aborted || this.#ways.every(writesThere), SETTLED_MS).catch(() => {
      throw new Error(`not every proxy writes to ${master.addr} after the healing`);
    });
  }

  #losses(cuts: readonly Cut[], master: RedisServer, members: readonly RedisServer[]): Loss[] {
    const { servers } = this.#cluster;
    const nameOf = (server: RedisServer) => `server ${servers.indexOf(server) + 1}`;
    const programs = (party: Party): string[] => {
      if (party === "master") return [nameOf(master)];
      if (party === "replicas") return members.filter((each) => each !== master).map(nameOf);
      if (party === "proxies") return this.#ways.map(({ name }) => name);
      return [party === "dashboard" ? "dashboard 1" : party];
    };
    return cuts.flatMap(([from, to, direction]) =>
      from.flatMap(programs).flatMap((a) =>
        to.flatMap(programs).flatMap((b) => [
          { from: a, to: b },
          ...direction === "both ways" ? [{ from: b, to: a }] : [],
        ])
      )
    );
  }
}

/** Waits, unless the run is ended early. */
async function untilOver(ms: number, over: AbortSignal): Promise<void> {
  await delay(ms, { signal: over }).catch(() => {});
}
