/**
 * Questions to a source, beside the stream of its changes: INFO, values of keys, where a change stands.
 *
 * @module
 */

import { RedisConnection, RedisUnreachableError, type Word } from "../../redis/connection.ts";
import { formatAddress } from "../../base/address.ts";
import { parseInfo, type RedisInfo } from "../../redis/info.ts";
import { RedisError, type RedisValue, replyText } from "../../redis/reply.ts";
import type { TlsToServers } from "../../io/tls.ts";
import { isOlder } from "../../base/version.ts";
import { SourceError } from "./replica_link.ts";
import type { SourceServer } from "./source_address.ts";

const DIAL_MS = 5_000;
const REPLY_MS = 60_000;

/** A key in a database of a source. */
export interface SourceKey {
  readonly database: number;
  readonly key: Uint8Array;
}

/** The value of a key. */
export interface ReadValue extends SourceKey {
  /** As DUMP gives it; null: there is no such key. */
  readonly dump: Uint8Array | null;
  /** Unix milliseconds; 0: it does not expire. */
  readonly expiryMs: number;
  /** All changes up to this place of the history are in the value, and no later ones. */
  readonly offset: number;
}

/** Where the keys of a command are, as COMMAND INFO says it. */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** Whether each request must be looked at by itself. */
  readonly isMovable: boolean;
}

/** See the header. It connects again when it has lost its connection. */
export class SourceControl {
  #server: SourceServer;
  readonly #tls: TlsToServers | undefined;
  #redis: RedisConnection | undefined;
  #isInCluster = false;
  #isClosed = false;
  #opening: Promise<RedisConnection> | undefined;
  /** `redis_version`, once INFO was read. */
  version = "";

  constructor(server: SourceServer, tls: TlsToServers | undefined) {
    this.#server = server;
    this.#tls = tls;
  }

  /** Connects anew before the next question; who waits for an answer gets none. */
  hangUp(): void {
    this.#redis?.close();
    this.#redis = undefined;
  }

  /** Asks another server from now on: the master that has taken the place of the one before. */
  async use(server: SourceServer): Promise<void> {
    if (formatAddress(server.address) === formatAddress(this.#server.address)) return;
    this.#server = server;
    this.hangUp();
    await this.#opening?.then((redis) => redis.close(), () => {});
    await this.info();
  }

  /** Closes the connection. */
  close(): void {
    this.#isClosed = true;
    this.hangUp();
  }

  /** Asks for INFO. */
  async info(): Promise<RedisInfo> {
    const info = parseInfo(replyText(await this.call("INFO")));
    this.version = info["redis_version"] ?? "";
    this.#isInCluster = info["cluster_enabled"] === "1";
    return info;
  }

  /** Where the server's changes stand. */
  async offset(): Promise<number> {
    return offsetIn(replyText(await this.call("INFO", "replication")));
  }

  /**
   * Sends a command.
   *
   * @throws {RedisError} When the reply is an error.
   * @throws {SourceError} When there is none.
   */
  async call(...words: Word[]): Promise<RedisValue> {
    const [reply] = await this.#send([words]);
    if (reply instanceof RedisError) throw reply;
    return reply!;
  }

  /** Sends commands to a database; an error reply is a value. */
  async pipeline(database: number, requests: readonly (readonly Word[])[]): Promise<RedisValue[]> {
    const [selected, ...replies] = await this.#send([["SELECT", database], ...requests]);
    if (selected instanceof RedisError) throw selected;
    return replies;
  }

  /**
   * Reads values, each with the place in the history that it belongs to. A server reads them all at one moment, a
   * node of a cluster each by itself: its transactions have keys of one slot.
   */
  async readValues(keys: readonly SourceKey[]): Promise<ReadValue[]> {
    const groups = this.#isInCluster ? keys.map((key) => [key]) : [keys];
    const replies = await this.#send(groups.flatMap((group) => this.#transaction(group)));
    const executed = replies.filter((reply) => Array.isArray(reply) || reply instanceof RedisError);
    return groups.flatMap((group, i) => this.#valuesIn(group, executed[i]!));
  }

  /** Reads when keys of a database expire, in Unix milliseconds; 0: never. */
  async expiriesOf(database: number, keys: readonly Uint8Array[]): Promise<number[]> {
    const replies = await this.pipeline(database, keys.map((key) => [this.#expiryWord, key]));
    const failed = replies.find((reply) => reply instanceof RedisError);
    if (failed !== undefined) throw failed;
    const now = Date.now();
    return replies.map((time) => this.#expiryMs(time as number, now));
  }

  #transaction(keys: readonly SourceKey[]): Word[][] {
    const requests: Word[][] = [["MULTI"]];
    for (const [i, { database, key }] of keys.entries()) {
      // A cluster has one database.
      const isOther = database !== keys[i - 1]?.database;
      if (isOther && !this.#isInCluster) requests.push(["SELECT", database]);
      requests.push(["DUMP", key], [this.#expiryWord, key]);
    }
    return [...requests, ["INFO", "replication"], ["EXEC"]];
  }

  #valuesIn(keys: readonly SourceKey[], executed: RedisValue): ReadValue[] {
    if (!Array.isArray(executed)) throw executed;
    // Replies of SELECT are no dumps.
    const found = executed.filter((reply) => reply !== "OK");
    const failed = found.find((reply) => reply instanceof RedisError);
    if (failed !== undefined) throw failed;
    const [now, offset] = [Date.now(), offsetIn(replyText(found.at(-1)!))];
    return keys.map((key, i) => {
      const [dump, time] = [found[2 * i] as Uint8Array | null, found[2 * i + 1] as number];
      return { ...key, dump, expiryMs: this.#expiryMs(time, now), offset };
    });
  }

  get #hasExpiryTime(): boolean {
    return this.version !== "" && !isOlder(this.version, "7.0.0");
  }

  get #expiryWord(): string {
    return this.#hasExpiryTime ? "PEXPIRETIME" : "PTTL";
  }

  /** Unix milliseconds, by the reply to it; 0: never. */
  #expiryMs(time: number, nowMs: number): number {
    return time < 0 ? 0 : this.#hasExpiryTime ? time : nowMs + time;
  }

  /** Asks where the keys of a command are; undefined: the server does not know it. */
  async keyPositions(name: string): Promise<KeyPositions | undefined> {
    const [row] = await this.call("COMMAND", "INFO", name) as RedisValue[];
    if (!Array.isArray(row)) return undefined;
    const [, , flags, first, last, step] = row as [
      unknown,
      unknown,
      string[],
      number,
      number,
      number,
    ];
    return { first, last, step, isMovable: first === 0 || flags.includes("movablekeys") };
  }

  /** Asks which keys a request has. */
  async keysOf(words: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    return await this.call("COMMAND", "GETKEYS", ...words) as Uint8Array[];
  }

  /** What is asked may be asked twice: a connection may have been lost since it was last used. */
  async #send(requests: readonly (readonly Word[])[]): Promise<RedisValue[]> {
    const before = this.#redis;
    try {
      const redis = await this.#connect();
      if (redis !== before) return await redis.pipeline(requests);
      return await redis.pipeline(requests).catch(async (error) => {
        if (this.#isClosed || !(error instanceof RedisUnreachableError)) throw error;
        redis.close();
        return await (await this.#connect()).pipeline(requests);
      });
    } catch (error) {
      if (error instanceof RedisUnreachableError) throw new SourceError(error.message);
      throw error;
    }
  }

  /** One connection, however many ask at the same time. */
  #connect(): Promise<RedisConnection> {
    if (this.#redis?.isOpen) return Promise.resolve(this.#redis);
    return this.#opening ??= this.#open().finally(() => this.#opening = undefined);
  }

  async #open(): Promise<RedisConnection> {
    const { address, user, password } = this.#server;
    this.#redis = await RedisConnection.open(address, {
      ...{ user, password, dialMs: DIAL_MS, replyMs: REPLY_MS, tls: this.#tls },
    });
    return this.#redis;
  }
}

function offsetIn(info: string): number {
  const text = parseInfo(info)["master_repl_offset"];
  if (text === undefined) throw new SourceError("INFO replication has no master_repl_offset");
  return Number(text);
}
