/**
 * The servers of a group as the store has them, and what became of the ledger's lists there.
 *
 * @module
 */

import type { EventsAnswer } from "../../../src/api/answers.ts";
import type { GroupView } from "../../../src/api/cluster_view.ts";
import { until } from "../../support/deadline.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { slotOf } from "../../support/router_server.ts";
import { type Cluster, SLOTS } from "../consistency/cluster.ts";
import type { Ledger } from "./ledger.ts";

/** Longest time until everything is as before, in milliseconds. */
export const WELL_MS = 90_000;

/** A group as the dashboard that leads shows it; waits for one to lead. */
async function viewOf(cluster: Cluster, group: number): Promise<GroupView> {
  let view: GroupView | undefined;
  await until(async () => {
    const { groups } = await cluster.view().catch(() => ({ groups: [] as GroupView[] }));
    view = groups.find(({ id }) => id === group);
    return view !== undefined;
  }, WELL_MS);
  return view!;
}

/** The servers of a group, the master first. */
export async function membersOf(cluster: Cluster, group: number): Promise<RedisServer[]> {
  const { servers } = await viewOf(cluster, group);
  const rank = ({ type }: { type: string }) => type === "master" ? 0 : 1;
  const inOrder = [...servers].sort((a, b) => rank(a) - rank(b));
  if (inOrder[0]?.type !== "master") throw new Error(`group ${group} has no master`);
  return inOrder.map(({ addr }) => cluster.serverAt(addr) as RedisServer);
}

/** What the dashboard that leads has told of writes that are lost, by the event's id. */
export async function lossesTold(
  cluster: Cluster,
): Promise<ReadonlyMap<string, { readonly text: string; readonly count: number }>> {
  const { events } = await cluster.ask("/api/events?kind=lost_writes&limit=500") as EventsAnswer;
  return new Map((events ?? []).map(({ id, text, count }) => [id, { text, count }]));
}

/** The texts of those that were not there `before`, or not as often: equal ones in a row are one event. */
export async function toldSince(
  cluster: Cluster,
  before: Awaited<ReturnType<typeof lossesTold>>,
): Promise<string[]> {
  return [...await lossesTold(cluster)]
    .filter(([id, { count }]) => count > (before.get(id)?.count ?? 0))
    .map(([, { text }]) => text);
}

/** How many of these tokens are in the files of lost writes. */
export async function keptOf(dir: string, tokens: readonly string[]): Promise<number> {
  if (tokens.length === 0) return 0;
  const texts: string[] = [];
  for await (const { name } of Deno.readDir(dir)) {
    if (name.startsWith("lost-")) texts.push(await Deno.readTextFile(`${dir}/${name}`));
  }
  return tokens.filter((token) => texts.some((text) => text.includes(`\n${token}\r`))).length;
}

/** What a server has of the ledger's lists. */
export interface ListFindings {
  /** Acknowledged tokens that are not there. */
  readonly lost: readonly string[];
  /** Lists that have a token twice. */
  readonly doubled: readonly string[];
}

/** Compares the lists of some tags at a server with what was acknowledged. */
export async function compareLists(
  ledger: Ledger,
  server: RedisServer,
  tags: readonly string[],
): Promise<ListFindings> {
  using client = await server.client();
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const tag of tags) {
    // What is acknowledged while the list is read may not be in it.
    const known = ledger.acknowledged.filter((each) => each.tag === tag);
    const key = ledger.keyOf(tag);
    const list = await client.call("LRANGE", key, 0, -1) as string[];
    const there = new Set(list);
    lost.push(...known.map(({ token }) => token).filter((token) => !there.has(token)));
    if (there.size !== list.length) doubled.push(key);
  }
  return { lost, doubled };
}

/** Hash tags of slots of each group, where the groups have the slots in equal parts. */
export function tagsOfGroups(groups: number, count: number): string[][] {
  const tags: string[][] = Array.from({ length: groups }, () => []);
  for (let i = 0; tags.some(({ length }) => length < count); i++) {
    const tag = `{ledger:${i}}`;
    const of = tags[Math.floor(slotOf(tag) * groups / SLOTS)]!;
    if (of.length < count) of.push(tag);
  }
  return tags;
}

/** The run id of a server. */
export async function runIdOf(server: RedisServer): Promise<string> {
  using client = await server.client();
  return /run_id:(\w+)/.exec(`${await client.call("INFO", "server")}`)![1]!;
}

/** Whether a master has heard from so many replicas within a second. */
export async function hearsAll(master: RedisServer, replicas: number): Promise<boolean> {
  using client = await master.client();
  const info = `${await client.call("INFO", "replication")}`;
  return [...info.matchAll(/^slave\d+:.*state=online,.*lag=[01]\r?$/gm)].length === replicas;
}
