/**
 * Clients that block on lists: each element is popped exactly once, in the order of its producer.
 *
 *      popped   LPUSH ─► list ─► BRPOP, BLMPOP: what a lost client had in hand is in doubt
 *      moved    LPUSH ─► list ─► BLMOVE, BRPOPLPUSH ─► list: never in doubt, the element is here or there
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { chance } from "../../support/fuzz.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { Dice } from "./operations.ts";
import { type Part, PartClient, type PartHost, type PartOptions, tagsIn } from "./part.ts";

/** Consumers of each queue. */
const CONSUMERS = 3;
/** Most elements of one LPUSH. */
const PUSH_MAX = 3;
/** Timeouts of blocking commands, in seconds; 0: for ever. */
const TIMEOUTS = [0, 0.05, 0.5, 5] as const;
/** How much longer than its timeout a command may take while nothing dies, in milliseconds. */
const LATE_MS = 5_000;
/** An element that tells a consumer to end. */
const END = "end";

/** A queue, and what its clients know of it. */
class Queue {
  readonly isMoved: boolean;
  readonly source: string;
  readonly target: string;
  /** Elements by the outcome of their LPUSH. */
  readonly acknowledged: number[] = [];
  readonly unknown: number[] = [];
  /** How often each was handed to a consumer. */
  readonly popped = new Map<number, number>();
  /** Blocking commands of which nobody knows what they took: each at most one element. */
  inDoubt = 0;

  constructor(tag: string, isMoved: boolean) {
    this.isMoved = isMoved;
    this.source = `${tag}source`;
    this.target = `${tag}target`;
  }

  /** What is wrong in the end, with what is left in its lists. */
  judge(source: readonly string[], target: readonly string[]): string[] {
    const wrong: string[] = [];
    const left = new Map<number, number>();
    for (const element of [...source, ...target]) {
      if (element !== END) left.set(Number(element), (left.get(Number(element)) ?? 0) + 1);
    }
    const timesOf = (element: number) =>
      // What was moved is counted where it is.
      (left.get(element) ?? 0) + (this.isMoved ? 0 : this.popped.get(element) ?? 0);
    const missing = this.acknowledged.filter((element) => timesOf(element) === 0);
    const doubled = [...this.acknowledged, ...this.unknown].filter((each) => timesOf(each) > 1);
    const known = new Set([...this.acknowledged, ...this.unknown]);
    const made = [...this.popped.keys(), ...left.keys()].filter((element) => !known.has(element));
    const most = this.isMoved ? 0 : this.inDoubt;
    if (missing.length > most) wrong.push(`${missing} are lost, ${most} may be`);
    if (doubled.length > 0) wrong.push(`${doubled} are there twice`);
    if (made.length > 0) wrong.push(`${made} were never pushed`);
    if (this.isMoved) {
      const elsewhere = [...this.popped.keys()].filter((element) => !target.includes(`${element}`));
      if (elsewhere.length > 0) wrong.push(`${elsewhere} were moved, and are not there`);
      const twice = [...this.popped].filter(([, times]) => times > 1).map(([element]) => element);
      if (twice.length > 0) wrong.push(`${twice} were moved twice`);
    }
    return wrong;
  }
}

/** See the header. */
export class Queues implements Part {
  readonly counts = { pushed: 0, popped: 0, "popped nothing": 0 };
  readonly #options: PartOptions;
  readonly #host: PartHost;
  readonly #queues: Queue[];
  readonly #producers: PartClient[] = [];
  readonly #consumers: PartClient[] = [];
  #producing: Promise<void>[] = [];
  #consuming: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: PartOptions, host: PartHost) {
    this.#options = options;
    this.#host = host;
    const count = Math.max(2, Math.floor(options.clients / (CONSUMERS + 1)));
    this.#queues = tagsIn(options.slots, "queue", count).map((tag, i) =>
      new Queue(tag, i % 2 === 1)
    );
  }

  owns(key: string): boolean {
    return key.startsWith("{queue:");
  }

  start(): Promise<void> {
    for (const [i, queue] of this.#queues.entries()) {
      const dice = (n: number) => new Dice(chance(this.#options.seed * 1_000 + 100 * i + n));
      const producer = new PartClient(this.#host, this.#options, dice(0));
      this.#producers.push(producer);
      this.#producing.push(this.#produce(queue, producer, dice(1)));
      for (let n = 0; n < CONSUMERS; n++) {
        const consumer = new PartClient(this.#host, this.#options, dice(2 + 2 * n));
        this.#consumers.push(consumer);
        this.#consuming.push(this.#consume(queue, consumer, dice(3 + 2 * n)));
      }
    }
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#producing);
    for (const [i, queue] of this.#queues.entries()) {
      const ends = Array.from({ length: CONSUMERS }, () => END);
      await this.#producers[i]!.ask(["LPUSH", queue.source, ...ends]);
    }
    await Promise.all(this.#consuming);
    for (const client of [...this.#producers, ...this.#consumers]) client.close();
  }

  async audit(client: RespClient): Promise<void> {
    for (const queue of this.#queues) {
      const all = async (key: string) => await client.call("LRANGE", key, 0, -1) as string[];
      const wrong = queue.judge(await all(queue.source), await all(queue.target));
      for (const text of wrong) {
        this.#producers[0]!.violated(`at the end: ${queue.source}: ${text}`);
      }
    }
  }

  async #produce(queue: Queue, client: PartClient, dice: Dice): Promise<void> {
    const paceMs = 1_000 * this.#queues.length / this.#options.rate;
    for (let next = 1; !this.#isStopped;) {
      await delay(2 * dice.random() * paceMs);
      const elements = Array.from({ length: dice.between(1, PUSH_MAX) }, () => next++);
      const push: Word[] = ["LPUSH", queue.source, ...elements];
      const isTransaction = dice.happens(0.2);
      const ends = await client.ask(...(isTransaction ? [["MULTI"], push, ["EXEC"]] : [push]));
      const kind = ends?.at(-1)?.kind;
      if (kind === "replied") {
        queue.acknowledged.push(...elements);
        this.counts.pushed += elements.length;
      } else if (kind === "unknown") {
        queue.unknown.push(...elements);
      }
    }
  }

  async #consume(queue: Queue, client: PartClient, dice: Dice): Promise<void> {
    let last = 0;
    for (;;) {
      const timeout = dice.one(TIMEOUTS);
      const { isMoved } = queue;
      const words = this.#pop(queue, timeout, dice);
      const startedMs = performance.now();
      const [end] = await client.ask(words) ?? [];
      if (end?.kind === "unknown") queue.inDoubt++;
      if (end?.kind !== "replied") {
        await delay(dice.below(50));
        continue;
      }
      if (end.value === null) {
        this.counts["popped nothing"]++;
        this.#checkTime(client, words, timeout, performance.now() - startedMs);
        continue;
      }
      const element = isMoved ? `${end.value}` : `${(end.value as unknown[]).flat().at(-1)}`;
      if (element === END) return;
      this.counts.popped++;
      const number = Number(element);
      queue.popped.set(number, (queue.popped.get(number) ?? 0) + 1);
      // A push in doubt may be executed late.
      if (number < last && !queue.unknown.includes(number)) {
        client.violated(`${words.join(" ")}: ${number} came after ${last}`);
      }
      last = Math.max(last, queue.unknown.includes(number) ? 0 : number);
    }
  }

  #pop({ isMoved, source, target }: Queue, timeout: number, dice: Dice): Word[] {
    const isOld = this.#options.isOld || dice.happens(0.5);
    // Servers before Redis 6 take whole seconds.
    const seconds = this.#options.isOld ? Math.ceil(timeout) : timeout;
    if (isMoved) {
      return isOld
        ? ["BRPOPLPUSH", source, target, seconds]
        : ["BLMOVE", source, target, "RIGHT", "LEFT", seconds];
    }
    return isOld
      ? ["BRPOP", `${target}none`, source, seconds]
      : ["BLMPOP", seconds, 1, source, "RIGHT"];
  }

  #checkTime(client: PartClient, words: readonly Word[], timeout: number, tookMs: number): void {
    const isEarly = timeout === 0 || tookMs < 1_000 * timeout - 5;
    const isLate = tookMs > 1_000 * timeout + LATE_MS && !this.#options.mayFail;
    if (isEarly || isLate) {
      client.violated(`${words.join(" ")} was nil after ${Math.round(tookMs)} ms`);
    }
  }
}
