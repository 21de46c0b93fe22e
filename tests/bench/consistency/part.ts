/**
 * What runs beside the load, each with clients, keys and rules of its own: transactions, queues,
 * subscribers.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { encodeRequests, RespClient, type Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { slotOf } from "../../support/router_server.ts";
import { timeOf } from "./item.ts";
import type { Dice } from "./operations.ts";

/** How much is asked. */
export interface PartOptions {
  readonly clients: number;
  /** Steps per second, of all clients together. */
  readonly rate: number;
  /** Slots that go round, from slot 0 on: keys lie in these. */
  readonly slots: number;
  readonly seed: number;
  /** Whether a client may be told that its command was not, or perhaps, executed. */
  readonly mayFail: boolean;
  /** Whether servers are of the time of Codis: no BLMOVE, no BLMPOP, no sharded channels. */
  readonly isOld: boolean;
}

/** Where clients connect, and who hears of what is wrong. */
export interface PartHost {
  /** A port at which a proxy may be. */
  port(dice: Dice): number;
  violated(text: string): void;
}

/** See the header. */
export interface Part {
  /** What has been done so far, by name. */
  readonly counts: Readonly<Record<string, number>>;
  /** Whether a key is one of its own. */
  owns(key: string): boolean;
  /** Prepares, and returns when nothing can be missed any more. */
  start(): Promise<void>;
  /** Lets every client end what it has begun. */
  stop(): Promise<void>;
  /** The last look, through a proxy that serves. */
  audit(client: RespClient): Promise<void>;
}

/** Longest wait for a reply, above what a proxy lets a request wait, in milliseconds. */
const REPLY_MS = 60_000;
/** Wait before another try to connect, in milliseconds. */
const RECONNECT_MS = 50;

/** Errors that say that a command was not executed. */
export const REFUSED = /^(ERR handle request, |LOADING |EXECABORT )/;
/** Errors that say that it may have been. */
export const UNKNOWN = /^ERR handle response, /;

/** How a command ended: with a reply, or not at all, or nobody knows. */
export type End =
  | { readonly kind: "replied"; readonly value: RespValue }
  | { readonly kind: "refused" }
  | { readonly kind: "unknown" };

/** `count` names of one kind whose slots go round. The name is a tag. */
export function tagsIn(slots: number, kind: string, count: number): string[] {
  const tags: string[] = [];
  for (let i = 0; tags.length < count; i++) {
    const tag = `{${kind}:${i}}`;
    if (slotOf(tag) < slots) tags.push(tag);
  }
  return tags;
}

/** A connection to some proxy, made anew when it is lost. */
export class PartClient {
  readonly #host: PartHost;
  readonly #options: PartOptions;
  readonly #dice: Dice;
  #connection: RespClient | undefined;
  isStopped = false;

  constructor(host: PartHost, options: PartOptions, dice: Dice) {
    this.#host = host;
    this.#options = options;
    this.#dice = dice;
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Whether what was sent last went over the connection that there is. */
  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** The connection, made where there is none; undefined after a stop. */
  async connection(
    prepare?: (client: RespClient) => Promise<void>,
  ): Promise<RespClient | undefined> {
    while (this.#connection === undefined && !this.isStopped) {
      let made: RespClient | undefined;
      try {
        made = await RespClient.connect(this.#host.port(this.#dice), "127.0.0.1", REPLY_MS);
        await prepare?.(made);
        this.#connection = made;
      } catch {
        made?.close();
        await delay(RECONNECT_MS);
      }
    }
    return this.#connection;
  }

  /**
   * Sends commands at once.
   *
   * @returns How each ended; undefined when nothing was sent.
   */
  async ask(...requests: readonly (readonly Word[])[]): Promise<End[] | undefined> {
    const connection = await this.connection();
    if (connection === undefined) return undefined;
    const ends: End[] = [];
    try {
      const sending = connection.sendRaw(encodeRequests(requests));
      sending.catch(() => {}); // what reading says of it says more
      for (const words of requests) ends.push(this.endOf(words, (await connection.read()).value));
      await sending;
    } catch (error) {
      this.lost((error as Error).message);
      while (ends.length < requests.length) ends.push({ kind: "unknown" });
    }
    return ends;
  }

  /** The connection was lost. */
  lost(cause: string): void {
    this.close();
    if (!this.#options.mayFail) this.violated(`a connection was lost: ${cause}`);
  }

  /** What an error says of the command's outcome. */
  endOf(words: readonly Word[], value: RespValue): End {
    if (!(value instanceof ReplyError)) return { kind: "replied", value };
    const { message } = value;
    const isRefused = REFUSED.test(message);
    const isExpected = this.#options.mayFail && (isRefused || UNKNOWN.test(message));
    if (!isExpected) this.violated(`${words.join(" ")}: ${message}`);
    return { kind: isRefused ? "refused" : "unknown" };
  }

  violated(text: string): void {
    this.#host.violated(`${timeOf(Date.now())} ${text}`);
  }
}
