/**
 * Clients with transactions: two counters that stay equal, and counters that are read, watched and
 * written.
 *
 *      pair     MULTI INCR a INCR b EXEC          replies are equal, and come once each
 *      watched  WATCH k, GET k, MULTI SET k EXEC  nil, or nobody else has written this number
 *
 * In the end a counter is at least what was acknowledged, and at most that and what is in doubt.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { chance } from "../../support/fuzz.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { Dice } from "./operations.ts";
import {
  type End,
  type Part,
  PartClient,
  type PartHost,
  type PartOptions,
  tagsIn,
} from "./part.ts";

/** Clients for each counter. */
const CLIENTS_PER_COUNTER = 4;
/** Shares of a client's steps. */
const SHARE = { read: 0.2, discard: 0.1, inPieces: 0.5, watch: 0.5 };
/** Most time between the commands of a transaction that comes in pieces, in milliseconds. */
const PIECE_MS = 5;

/** A number that only grows by one, as far as it can be known. */
class Counter {
  readonly keys: readonly string[];
  /** Increments that were acknowledged, and those in doubt. */
  acknowledged = 0;
  unknown = 0;
  /** Increments that were sent. */
  begun = 0;
  /** The highest that a reply told: nobody may read less who asks later. */
  least = 0;
  readonly #seen = new Set<number>();

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  /** An increment was acknowledged with this number; what is wrong with that, empty: nothing. */
  add(count: number, leastBefore: number): string {
    this.acknowledged++;
    const wrong = this.#seen.has(count)
      ? `${count} was given twice`
      : count <= leastBefore
      ? `${count} came after ${leastBefore}`
      : "";
    this.#seen.add(count);
    this.least = Math.max(this.least, count);
    return wrong;
  }

  /** The number was read; what is wrong with it. */
  see(count: number, leastBefore: number): string {
    if (count < leastBefore) return `${count} was read, after ${leastBefore}`;
    if (count > this.begun) return `${count} was read, of ${this.begun} increments`;
    this.least = Math.max(this.least, count);
    return "";
  }

  /** What is wrong with what is there in the end. */
  judge(count: number): string {
    const most = this.acknowledged + this.unknown;
    if (count >= this.acknowledged && count <= most) return "";
    return `${count} is there, must be ${this.acknowledged} to ${most}`;
  }
}

/** See the header. */
export class Transactions implements Part {
  readonly counts = { transactions: 0, watched: 0, "watched in vain": 0 };
  readonly #options: PartOptions;
  readonly #clients: PartClient[] = [];
  readonly #dice: Dice[] = [];
  readonly #pairs: Counter[];
  readonly #watched: Counter[];
  #running: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: PartOptions, host: PartHost) {
    this.#options = options;
    const count = Math.max(1, Math.ceil(options.clients / CLIENTS_PER_COUNTER));
    this.#pairs = tagsIn(options.slots, "pair", count).map((tag) =>
      new Counter([`${tag}a`, `${tag}b`])
    );
    this.#watched = tagsIn(options.slots, "watched", count).map((tag) => new Counter([tag]));
    for (let i = 0; i < options.clients; i++) {
      const dice = new Dice(chance(options.seed * 1_000 + i));
      this.#dice.push(dice);
      this.#clients.push(new PartClient(host, options, dice));
    }
  }

  owns(key: string): boolean {
    return /^\{(pair|watched):/.test(key);
  }

  start(): Promise<void> {
    this.#running = this.#clients.map((client, i) => this.#run(client, this.#dice[i]!));
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const client of this.#clients) client.isStopped = true;
    await Promise.all(this.#running);
    for (const client of this.#clients) client.close();
  }

  async audit(client: RespClient): Promise<void> {
    for (const { keys, judge } of this.#all()) {
      for (const key of keys) {
        const wrong = judge(Number(await client.call("GET", key)));
        if (wrong !== "") this.#clients[0]!.violated(`at the end: ${key}: ${wrong}`);
      }
    }
    for (const { keys: [a, b] } of this.#pairs) {
      const [one, other] = [await client.call("GET", a!), await client.call("GET", b!)];
      if (one !== other) this.#clients[0]!.violated(`at the end: ${a} is ${one}, ${b} is ${other}`);
    }
  }

  #all() {
    return [...this.#pairs, ...this.#watched].map((counter) => ({
      keys: counter.keys,
      judge: (count: number) => counter.judge(count),
    }));
  }

  async #run(client: PartClient, dice: Dice): Promise<void> {
    const { clients, rate } = this.#options;
    while (!this.#isStopped) {
      await delay(2 * dice.random() * 1_000 * clients / rate);
      if (dice.happens(SHARE.watch)) await this.#watch(client, dice);
      else if (dice.happens(SHARE.read)) await this.#read(client, dice);
      else if (dice.happens(SHARE.discard)) await this.#discard(client, dice);
      else await this.#increment(client, dice);
    }
  }

  /** Sends a transaction at once, or its commands one after the other. */
  async #send(client: PartClient, dice: Dice, commands: readonly Word[][]): Promise<End[]> {
    if (!dice.happens(SHARE.inPieces)) return await client.ask(...commands) ?? [];
    const ends: End[] = [];
    for (const words of commands) {
      const end = await client.ask(words);
      ends.push(end?.[0] ?? { kind: "refused" });
      // A new connection is in no transaction.
      if (!client.isConnected) break;
      await delay(dice.below(PIECE_MS + 1));
    }
    // What was not sent was not executed.
    while (ends.length < commands.length) ends.push({ kind: "refused" });
    return ends;
  }

  async #increment(client: PartClient, dice: Dice): Promise<void> {
    const pair = dice.one(this.#pairs);
    const [a, b] = pair.keys;
    const { least } = pair;
    pair.begun++;
    const ends = await this.#send(client, dice, [["MULTI"], ["INCR", a!], ["INCR", b!], ["EXEC"]]);
    const exec = ends[3];
    if (exec?.kind === "unknown") pair.unknown++;
    if (exec?.kind !== "replied") return;
    this.counts.transactions++;
    const { value } = exec;
    const counts = Array.isArray(value) && value.length === 2 && value[0] === value[1];
    const wrong = counts ? pair.add(Number(value[0]), least) : "two equal numbers were due";
    if (wrong !== "") client.violated(`EXEC of ${a} and ${b}: ${JSON.stringify(value)}: ${wrong}`);
  }

  async #discard(client: PartClient, dice: Dice): Promise<void> {
    const [a] = dice.one(this.#pairs).keys;
    const ends = await this.#send(client, dice, [["MULTI"], ["INCR", a!], ["DISCARD"]]);
    if (ends.some(({ kind }) => kind !== "replied")) client.close();
  }

  async #read(client: PartClient, dice: Dice): Promise<void> {
    const pair = dice.one(this.#pairs);
    const [a, b] = pair.keys;
    const { least } = pair;
    const isPlain = dice.happens(0.5);
    const commands = isPlain ? [["MGET", a!, b!]] : [["MULTI"], ["GET", a!], ["GET", b!], ["EXEC"]];
    const end = (await this.#send(client, dice, commands)).at(-1);
    if (end?.kind !== "replied") return;
    const [one, other] = (end.value ?? []) as (string | null)[];
    const wrong = one === other ? pair.see(Number(one ?? 0), least) : "they are not equal";
    if (wrong !== "") client.violated(`${a} and ${b}: ${JSON.stringify(end.value)}: ${wrong}`);
  }

  async #watch(client: PartClient, dice: Dice): Promise<void> {
    const counter = dice.one(this.#watched);
    const key = counter.keys[0]!;
    const { least } = counter;
    const [watch, got] = await client.ask(["WATCH", key], ["GET", key]) ?? [];
    if (watch?.kind !== "replied" || got?.kind !== "replied") return client.close();
    const count = Number(got.value ?? 0);
    const wrong = counter.see(count, least);
    if (wrong !== "") client.violated(`${key}: ${wrong}`);
    await delay(dice.below(PIECE_MS + 1));
    if (!client.isConnected) return;
    counter.begun++;
    const commands = [["MULTI"], ["SET", key, count + 1], ["EXEC"]];
    const exec = (await this.#send(client, dice, commands))[2];
    if (exec?.kind === "unknown") counter.unknown++;
    if (exec?.kind !== "replied") return client.close();
    if (exec.value === null) {
      this.counts["watched in vain"]++;
      return;
    }
    this.counts.watched++;
    const isSet = JSON.stringify(exec.value) === '["OK"]';
    const lost = isSet ? counter.add(count + 1, least) : `EXEC: ${JSON.stringify(exec.value)}`;
    if (lost !== "") client.violated(`SET ${key} ${count + 1} while watched: ${lost}`);
  }
}
