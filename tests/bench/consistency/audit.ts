/**
 * The last look: every item through a proxy, and every key of every server, against what must be there.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { PROBE_MS, PROBE_PREFIX } from "../../../src/resp/probe_key.ts";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";
import type { RespValue } from "../../support/resp_value.ts";
import { slotOf } from "../../support/router_server.ts";
import type { Cluster } from "./cluster.ts";
import { CLOCK_MS, type Item, type Span, timeOf } from "./item.ts";
import { readOf } from "./operations.ts";
import type { Part } from "./part.ts";

/** What is looked at. */
export interface Audit {
  readonly cluster: Cluster;
  readonly items: readonly Item[];
  readonly parts: readonly Pick<Part, "owns" | "audit">[];
  readonly hadFaults: boolean;
  violated(text: string): void;
}

/** A slot as a proxy's `/slots` tells it. */
interface ProxySlot {
  readonly id: number;
  readonly state: string;
  readonly group_id: number;
}

/** A key at a server. */
interface Found {
  readonly addr: string;
  /** As EXISTS sees it a moment later: keys may expire. */
  readonly value: string;
  readonly ttlMs: number;
  /** When it had so long to live, between these two. */
  readonly asked: Span;
}

const BATCH = 500;
/** Keys of a server read at once: few, so that it is known when each had how long to live. */
const KEYS_BATCH = 50;
const READ_MS = 60_000;
const DATABASES = 16;
/** When what a dashboard left is known to be left, in milliseconds. */
const LEFT_MS = 11_000;

/** @returns How many keys there are. */
export async function audit(audit: Audit): Promise<number> {
  await delay(audit.hadFaults ? LEFT_MS : PROBE_MS + CLOCK_MS);
  // A dashboard that was killed may have left a place for answers; nobody minds, and gc removes it.
  if (audit.hadFaults) await audit.cluster.change("GET", "/api/action/gc?keep=500");
  for (const problem of await audit.cluster.problems()) audit.violated(`store: ${problem}`);
  await compareTables(audit);
  await askProxy(audit);
  for (const part of audit.parts) {
    using client = await RespClient.connect(audit.cluster.ports[0]!, "127.0.0.1", READ_MS);
    await part.audit(client);
  }
  return await lookAtServers(audit);
}

/** Every proxy serves every slot as the store says. */
async function compareTables({ cluster, violated }: Audit): Promise<void> {
  const { slots } = await cluster.view();
  for (const [i, proxy] of cluster.proxies.entries()) {
    const table = await (await fetch(proxy.url("/slots"))).json() as ProxySlot[];
    for (const { id, state, group_id } of table) {
      if (state === "open" && group_id === slots.group[id]) continue;
      violated(
        `proxy_${i + 1} has slot ${id} ${state} in group ${group_id}, ` +
          `the store in group ${slots.group[id]}`,
      );
    }
  }
}

/** Reads every item through the proxies, as its writer would. */
async function askProxy({ cluster, items, violated }: Audit): Promise<void> {
  for (const [at, batch] of batchesOf(items).entries()) {
    const port = cluster.ports[at % cluster.ports.length]!;
    using client = await RespClient.connect(port, "127.0.0.1", READ_MS);
    const { database } = batch[0]!;
    await client.call("SELECT", database);
    const sentMs = Date.now();
    const operations = batch.map((item) => readOf(item));
    await client.sendRaw(encodeRequests(operations.map(({ words }) => words)));
    const replies: RespValue[] = [];
    for (let i = 0; i < operations.length; i++) replies.push((await client.read()).value);
    const span = { sentMs, endedMs: Date.now() };
    for (const [i, { replies: repliesOf, parts, words }] of operations.entries()) {
      const item = batch[i]!;
      if (item.isBroken) continue;
      const sent = [{ command: parts[0]!.command, words }];
      let reply: string;
      try {
        [reply] = repliesOf(replies[i]!) as [string];
      } catch {
        reply = JSON.stringify(replies[i]);
      }
      const wrong = item.end(sent, [{ kind: "replied", reply }], span);
      if (wrong !== "") violated(`at the end: ${wrong}\n    ${item.describe()}`);
    }
  }
}

/** Batches of items of one database. */
function batchesOf(items: readonly Item[]): Item[][] {
  const batches: Item[][] = [];
  const open = new Map<number, Item[]>();
  for (const item of items) {
    let batch = open.get(item.database);
    if (batch === undefined || batch.length === BATCH) {
      open.set(item.database, batch = []);
      batches.push(batch);
    }
    batch.push(item);
  }
  return batches;
}

async function lookAtServers({ cluster, items, parts, violated }: Audit): Promise<number> {
  const { groups, slots } = await cluster.view();
  const found = new Map<string, Found[]>();
  for (const { id, servers } of groups) {
    const server = cluster.serverAt(servers.find(({ type }) => type === "master")!.addr);
    using client = await RespClient.connect(server.port, "127.0.0.1", READ_MS);
    for (let database = 0; database < DATABASES; database++) {
      await client.call("SELECT", database);
      for (const key of await client.call("KEYS", "*") as string[]) {
        if (key.startsWith(PROBE_PREFIX)) continue;
        const slotId = slotOf(key);
        if (slots.group[slotId] !== id) {
          violated(
            `${server.addr} (group ${id}) has ${key} of database ${database}, whose slot ` +
              `${slotId} is in group ${slots.group[slotId]}`,
          );
        }
      }
      await readKeys(client, server.addr, database, items, found);
    }
  }
  const known = new Set<string>();
  for (const item of items) {
    for (const [at, key] of item.keys.entries()) {
      const id = `${item.database} ${key}`;
      known.add(id);
      if (item.isBroken) continue;
      const wrong = compare(item, at, found.get(id) ?? []);
      if (wrong !== "") violated(`at the servers: ${key}: ${wrong}\n    ${item.describe()}`);
    }
  }
  for (const [id, there] of found) {
    if (known.has(id)) continue;
    const addrs = there.map(({ addr }) => addr).join(" and ");
    const isOfPart = parts.some((part) => part.owns(id.slice(id.indexOf(" ") + 1)));
    if (!isOfPart) violated(`${addrs} has ${id}, which nobody wrote`);
    else if (there.length > 1) violated(`at the servers: ${id}: it is at ${addrs}`);
  }
  return found.size;
}

/** Reads everything that a server has in the selected database. */
async function readKeys(
  client: RespClient,
  addr: string,
  database: number,
  items: readonly Item[],
  found: Map<string, Found[]>,
): Promise<void> {
  const kinds = new Map(
    items.filter((item) => item.database === database)
      .flatMap((item) => item.keys.map((key) => [key, item] as const)),
  );
  const keys = (await client.call("KEYS", "*") as string[]).filter((key) =>
    !key.startsWith(PROBE_PREFIX)
  );
  for (let at = 0; at < keys.length; at += KEYS_BATCH) {
    const some = keys.slice(at, at + KEYS_BATCH);
    const sentMs = Date.now();
    const replies = await client.pipeline(some.flatMap((key) => {
      const item = kinds.get(key);
      // One key of tags is read alone.
      const words = item === undefined
        ? ["TYPE", key]
        : item.kind === "tags"
        ? ["GET", key]
        : readOf(item).words;
      return [words, ["PTTL", key]];
    }));
    const asked = { sentMs, endedMs: Date.now() };
    for (const [i, key] of some.entries()) {
      const item = kinds.get(key);
      const reply = replies[2 * i]!.value;
      const ttlMs = Number(replies[2 * i + 1]!.value);
      if (ttlMs === -2) continue; // it has just expired
      const value = item === undefined || item.kind === "tags"
        ? String(reply)
        : readOf(item).replies(reply)[0]!;
      const id = `${database} ${key}`;
      found.set(id, [...found.get(id) ?? [], { addr, value, ttlMs, asked }]);
    }
  }
}

/** What is wrong with a key of an item; empty: nothing. */
function compare(item: Item, at: number, found: readonly Found[]): string {
  if (found.length > 1) return `it is at ${found.map(({ addr }) => addr).join(" and ")}`;
  const [there] = found;
  const texts: string[] = [];
  for (const { value, fromMs, toMs } of item.possible) {
    const expected = value === null
      ? ""
      : item.kind === "tags"
      ? value.split(",")[at]!
      : readOf(item).parts[0]!.command(value).reply;
    texts.push(`"${expected}"${fromMs === Infinity ? "" : ` until ${timeOf(fromMs)}`}`);
    if (there === undefined) {
      // One that expires may have done so since.
      if (expected === "" || Date.now() > fromMs - CLOCK_MS) return "";
      continue;
    }
    if (there.value !== expected) continue;
    const { ttlMs, asked } = there;
    const isEnd = fromMs === Infinity
      ? ttlMs === -1
      : ttlMs !== -1 && asked.endedMs + ttlMs >= fromMs - CLOCK_MS &&
        asked.sentMs + ttlMs <= toMs + CLOCK_MS;
    if (isEnd) return "";
  }
  const is = there === undefined
    ? "nowhere"
    : `"${there.value}", ${
      there.ttlMs === -1
        ? "without an end"
        : `until ${timeOf(there.asked.sentMs + there.ttlMs)} (${there.ttlMs} ms)`
    }`;
  return `it is ${is}, and must be ${texts.join(" or ")}`;
}
