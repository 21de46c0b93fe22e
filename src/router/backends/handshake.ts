/**
 * What a connection to a server begins with: who we are, the protocol, the database.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import type { BackendLogin, RouterOptions } from "../options.ts";

/** The database of a connection that uses none: a server that runs a script would refuse to SELECT. */
export const NO_DATABASE = -1;

/** A server as the start of a connection sees it. */
export interface GreetedServer {
  readonly options: Pick<RouterOptions, "backendDialMs" | "backendTimeoutMs">;
  /** Whether a script keeps it from answering. */
  readonly isHeldUp: boolean;
  /** When a byte came from it last, over any connection; clock milliseconds. */
  heardMs: number;
  /** A connection has asked HELLO 3: an empty error means that the server knows it. */
  learnedResp3(error: string): void;
}

/** One connection's handshake. */
export class Handshake {
  /** Its requests. */
  readonly bytes: Uint8Array;
  readonly #server: GreetedServer;
  readonly #database: number;
  /** How many of them are unanswered, and how many are once HELLO is answered; -1 without HELLO. */
  #left: number;
  readonly #leftAfterHello: number;

  constructor(server: GreetedServer, login: BackendLogin, protocol: Protocol, database: number) {
    this.#server = server;
    this.#database = database;
    const { user, password } = login;
    const requests: Uint8Array[] = [];
    if (password !== "") {
      requests.push(encodeRequest(user === "" ? ["AUTH", password] : ["AUTH", user, password]));
    }
    if (protocol === 3) requests.push(encodeRequest(["HELLO", "3"]));
    // Always sent, database 0 included: its answer proves that the server serves us.
    const selects = database !== NO_DATABASE;
    if (selects) requests.push(encodeRequest(["SELECT", String(database)]));
    this.bytes = concat(requests);
    this.#left = requests.length;
    this.#leftAfterHello = protocol === 3 ? Number(selects) : -1;
  }

  /** Whether all is answered. */
  get isDone(): boolean {
    return this.#left === 0;
  }

  /**
   * A reply has come.
   *
   * @param type Its first byte.
   * @returns The error with which the connection ends; empty when it goes on.
   */
  answered(type: number, reply: Uint8Array): string {
    const isHello = --this.#left === this.#leftAfterHello;
    const isError = type === 45; /* - */
    const error = isError ? new TextDecoder().decode(reply.subarray(1)).trimEnd() : "";
    if (isHello && !/^(NOAUTH|NOPERM|LOADING)/.test(error)) this.#server.learnedResp3(error);
    // While a script runs, the server refuses SELECT; but database 0 is the one that it would choose.
    return error.startsWith("BUSY ") && this.isDone && this.#database === 0 ? "" : error;
  }

  /** How long the server may say nothing, in milliseconds; `sinceMs` is when it said something, or was asked. */
  limitMs(sinceMs: number): number {
    const { options: { backendDialMs, backendTimeoutMs }, isHeldUp, heardMs } = this.#server;
    // One that is busy with others takes its time, but it is there.
    const isBusy = isHeldUp || heardMs > sinceMs;
    return isBusy ? Math.max(backendDialMs, backendTimeoutMs) : backendDialMs;
  }
}
