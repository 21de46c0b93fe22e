/**
 * Clients that publish and subscribe: every message comes exactly once and in order while nothing dies,
 * and never twice or out of order even then.
 *
 *      publisher of a channel ─► PUBLISH number ─► every subscriber, as SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { chance } from "../../support/fuzz.ts";
import { RespClient, type Word } from "../../support/resp_client.ts";
import { PushMessage } from "../../support/resp_value.ts";
import { Dice } from "./operations.ts";
import { type Part, PartClient, type PartHost, type PartOptions, tagsIn } from "./part.ts";

/** Subscribers of each way of hearing. */
const SUBSCRIBERS = 2;
/** Longest wait until the last message has come, in milliseconds. */
const LAST_MS = 15_000;
/** Silence that a subscriber bears, in milliseconds. */
const SILENCE_MS = 3_600_000;
/** Wait before another try to connect, in milliseconds. */
const RECONNECT_MS = 50;

/** A channel, and what was published there. */
interface Channel {
  readonly name: string;
  readonly isSharded: boolean;
  /** The number of the last message that was sent. */
  sent: number;
}

/** The ways to hear of channels, and what a message is called. */
const WAYS = { SUBSCRIBE: "message", PSUBSCRIBE: "pmessage", SSUBSCRIBE: "smessage" } as const;
type Way = keyof typeof WAYS;

/** One client that listens. */
class Subscriber {
  readonly way: Way;
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #words: readonly Word[];
  readonly #isResp3: boolean;
  readonly #part: Subscribers;
  readonly #dice: Dice;
  /** By channel: the number that came last over this connection. */
  readonly #last = new Map<string, number>();
  #connection: RespClient | undefined;
  isListening = false;
  isStopped = false;

  constructor(part: Subscribers, way: Way, channels: readonly Channel[], dice: Dice) {
    const own = channels.filter(({ isSharded }) => isSharded === (way === "SSUBSCRIBE"));
    this.way = way;
    this.#channels = new Map(own.map((channel) => [channel.name, channel]));
    this.#words = way === "PSUBSCRIBE" ? ["{news:*"] : [...this.#channels.keys()];
    this.#isResp3 = dice.happens(0.5);
    this.#part = part;
    this.#dice = dice;
  }

  /** How many channels of these have not come to their last message yet. */
  get behind(): string[] {
    return [...this.#channels.values()]
      .filter(({ name, sent }) => this.#last.get(name) !== sent)
      .map(({ name, sent }) => `${name}: ${this.#last.get(name)} of ${sent}`);
  }

  async run(): Promise<void> {
    while (!this.isStopped) {
      try {
        await this.#listen();
      } catch (error) {
        this.isListening = false;
        this.#connection?.close();
        if (this.isStopped) return;
        if (!this.#part.mayFail) {
          this.#part.violated(`a subscriber was lost: ${(error as Error).message}`);
        }
        await delay(RECONNECT_MS);
      }
    }
  }

  close(): void {
    this.isStopped = true;
    this.#connection?.close();
  }

  async #listen(): Promise<void> {
    const client = await RespClient.connect(this.#part.port(this.#dice), "127.0.0.1", SILENCE_MS);
    this.#connection = client;
    if (this.#isResp3) await client.call("HELLO", 3);
    await client.send(this.way, ...this.#words);
    const next = async () => {
      const { value } = await client.read();
      return (value instanceof PushMessage ? value.items : value) as unknown[];
    };
    for (let count = 1; count <= this.#words.length;) {
      const message = await next();
      if (!Array.isArray(message)) throw new Error(`${this.way}: ${JSON.stringify(message)}`);
      if (this.#note(message)) continue;
      const due = [this.way.toLowerCase(), this.#words[count - 1], count];
      if (`${message}` !== `${due}`) this.#part.violated(`"${message}" came, "${due}" was due`);
      count++;
    }
    // What is under way now may come or not, what is sent from now on comes.
    for (const { name, sent } of this.#channels.values()) {
      if (!this.#last.has(name)) this.#last.set(name, sent);
    }
    this.isListening = true;
    for (;;) {
      const message = await next();
      if (!this.#note(message)) this.#part.violated(`a subscriber got "${message}"`);
    }
  }

  /** Notes a message; false: it is none. */
  #note(message: readonly unknown[]): boolean {
    if (message[0] !== WAYS[this.way]) return false;
    const [name, text] = message.slice(-2) as [string, string];
    const number = Number(text);
    const last = this.#last.get(name);
    this.#last.set(name, number);
    this.#part.counts.heard++;
    if (last === undefined) return true;
    // The first may have been under way when it was subscribed.
    const isDue = number === last + 1 || (this.#part.mayFail && number > last);
    if (!isDue) this.#part.violated(`${this.way} of ${name}: ${number} came after ${last}`);
    return true;
  }
}

/** See the header. */
export class Subscribers implements Part {
  readonly counts = { published: 0, heard: 0 };
  readonly #options: PartOptions;
  readonly #host: PartHost;
  readonly #channels: Channel[];
  readonly #subscribers: Subscriber[] = [];
  readonly #publishers: PartClient[] = [];
  #listening: Promise<void>[] = [];
  #publishing: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: PartOptions, host: PartHost) {
    this.#options = options;
    this.#host = host;
    const names = tagsIn(options.slots, "news", Math.max(4, Math.floor(options.clients / 2)));
    const isSharded = (i: number) => !options.isOld && i % 3 === 2;
    this.#channels = names.map((name, i) => ({ name, isSharded: isSharded(i), sent: 0 }));
  }

  get mayFail(): boolean {
    return this.#options.mayFail;
  }

  port(dice: Dice): number {
    return this.#host.port(dice);
  }

  violated(text: string): void {
    this.#publishers[0]!.violated(text);
  }

  owns(): boolean {
    return false;
  }

  async start(): Promise<void> {
    for (let i = 0; i < this.#channels.length; i++) {
      const dice = new Dice(chance(this.#options.seed * 1_000 + i));
      this.#publishers.push(new PartClient(this.#host, this.#options, dice));
    }
    for (const way of Object.keys(WAYS) as Way[]) {
      if (way === "SSUBSCRIBE" && this.#options.isOld) continue;
      for (let i = 0; i < SUBSCRIBERS; i++) {
        const dice = new Dice(chance(this.#options.seed * 2_000 + this.#subscribers.length));
        this.#subscribers.push(new Subscriber(this, way, this.#channels, dice));
      }
    }
    this.#listening = this.#subscribers.map((subscriber) => subscriber.run());
    await this.#untilListening();
    this.#publishing = this.#channels.map((channel, i) => {
      const dice = new Dice(chance(this.#options.seed * 3_000 + i));
      return this.#publish(channel, this.#publishers[i]!, dice);
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#publishing);
    // All is well again: the last message of each channel comes to everybody.
    await this.#untilListening();
    for (const [i, channel] of this.#channels.entries()) {
      await this.#publishOne(channel, this.#publishers[i]!);
    }
    const behind = () =>
      this.#subscribers.flatMap(({ behind, way }) => behind.map((b) => `${way} ${b}`));
    await until(() => behind().length === 0, LAST_MS)
      .catch(() => this.violated(`the last messages have not come: ${behind().join(", ")}`));
    for (const subscriber of this.#subscribers) subscriber.close();
    for (const publisher of this.#publishers) publisher.close();
    await Promise.all(this.#listening);
  }

  async #untilListening(): Promise<void> {
    const isListening = () => this.#subscribers.every((subscriber) => subscriber.isListening);
    await until(isListening, LAST_MS).catch(() => this.violated("a subscriber cannot subscribe"));
  }

  audit(): Promise<void> {
    return Promise.resolve();
  }

  async #publish(channel: Channel, client: PartClient, dice: Dice): Promise<void> {
    const paceMs = 1_000 * this.#channels.length / this.#options.rate;
    while (!this.#isStopped) {
      await delay(2 * dice.random() * paceMs);
      await this.#publishOne(channel, client);
      // Another proxy from now on: an order over two connections is kept when one waits for the reply.
      if (dice.happens(0.05)) client.close();
    }
  }

  async #publishOne(channel: Channel, client: PartClient): Promise<void> {
    const { isSharded, name } = channel;
    const words = [isSharded ? "SPUBLISH" : "PUBLISH", name, ++channel.sent];
    const [end] = await client.ask(words) ?? [];
    if (end?.kind !== "replied") return;
    this.counts.published++;
    const due = isSharded ? SUBSCRIBERS : 2 * SUBSCRIBERS;
    if (this.mayFail || end.value === due) return;
    client.violated(`${words.join(" ")} reached ${end.value} subscribers, ${due} were there`);
  }
}
