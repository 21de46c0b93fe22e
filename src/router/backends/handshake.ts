/**
 * What a connection to a server begins with: who we are, the protocol, the database.
 *
 *      one password:  AUTH, HELLO, SELECT in one write
 *      several:       AUTH new ─ wrong ─► AUTH old ─ right ─► HELLO, SELECT
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { clock } from "../../base/clock.ts";
import { isWrongPassword } from "../../base/secret.ts";
import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import { type BackendLogin, passwordsOf, type RouterOptions } from "../options.ts";

/** The database of a connection that uses none: a server that runs a script would refuse to SELECT. */
export const NO_DATABASE = -1;

/** A server as the start of a connection sees it. */
export interface GreetedServer {
  readonly options: Pick<RouterOptions, "backendDialMs" | "backendTimeoutMs">;
  /** Whether a script keeps it from answering, or one did a short while ago: others may follow. */
  readonly runsLongScripts: boolean;
  /** When a byte came from it last, over any connection; clock milliseconds. */
  heardMs: number;
  /** A connection has asked HELLO 3: an empty error means that the server knows it. */
  learnedResp3(error: string): void;
}

const NOTHING = new Uint8Array(0);

/** One connection's handshake. */
export class Handshake {
  readonly #server: GreetedServer;
  readonly #login: BackendLogin;
  readonly #protocol: Protocol;
  readonly #database: number;
  /** Passwords that were not tried yet. */
  readonly #passwords: string[];
  /** Whether a password is tried alone, since there is another one to try. */
  #isTrying: boolean;
  /** How many requests are unanswered, and how many are once HELLO is answered; -1 without HELLO. */
  #left = 0;
  readonly #leftAfterHello: number;

  constructor(server: GreetedServer, login: BackendLogin, protocol: Protocol, database: number) {
    this.#server = server;
    this.#login = login;
    this.#protocol = protocol;
    this.#database = database;
    this.#passwords = [...passwordsOf(login)];
    this.#isTrying = this.#passwords.length > 1;
    this.#leftAfterHello = protocol === 3 ? Number(database !== NO_DATABASE) : -1;
  }

  /** The first requests; empty when there is nothing to say. */
  begin(): Uint8Array {
    return this.#send(this.#isTrying ? this.#auth() : [...this.#auth(), ...this.#rest()]);
  }

  /** Whether all is answered. */
  get isDone(): boolean {
    return this.#left === 0;
  }

  /**
   * A reply has come.
   *
   * @param type Its first byte.
   * @returns The error with which the connection ends; or what to send now, which may be nothing.
   */
  answered(type: number, reply: Uint8Array): Uint8Array | string {
    const isError = type === 45; /* - */
    const error = isError ? new TextDecoder().decode(reply.subarray(1)).replace(/\r\n$/, "") : "";
    if (this.#isTrying) return this.#tried(error);
    const isHello = --this.#left === this.#leftAfterHello;
    if (isHello && !/^(NOAUTH|NOPERM|LOADING)/.test(error)) this.#server.learnedResp3(error);
    // While a script runs, the server refuses SELECT; but database 0 is the one that it would choose.
    const isServed = error.startsWith("BUSY ") && this.isDone && this.#database === 0;
    return error === "" || isServed ? NOTHING : error;
  }

  #tried(error: string): Uint8Array | string {
    if (error !== "") {
      const isNext = isWrongPassword(error) && this.#passwords.length > 0;
      return isNext ? this.#send(this.#auth()) : error;
    }
    this.#isTrying = false;
    return this.#send(this.#rest());
  }

  #send(requests: Uint8Array[]): Uint8Array {
    this.#left = requests.length;
    return concat(requests);
  }

  #auth(): Uint8Array[] {
    const password = this.#passwords.shift();
    if (password === undefined) return [];
    const { user } = this.#login;
    return [encodeRequest(user === "" ? ["AUTH", password] : ["AUTH", user, password])];
  }

  #rest(): Uint8Array[] {
    const requests: Uint8Array[] = [];
    if (this.#protocol === 3) requests.push(encodeRequest(["HELLO", "3"]));
    // Always sent, database 0 included: its answer proves that the server serves us.
    if (this.#database !== NO_DATABASE) {
      requests.push(encodeRequest(["SELECT", String(this.#database)]));
    }
    return requests;
  }

  /** Why it is given up because the server says nothing; empty while that may go on. */
  overdue(sinceMs: number): string {
    const limitMs = this.limitMs(sinceMs);
    return clock.nowMs - sinceMs > limitMs ? `no answer to the handshake for ${limitMs} ms` : "";
  }

  /** How long the server may say nothing, in milliseconds; `sinceMs` is when it said something, or was asked. */
  limitMs(sinceMs: number): number {
    const { options: { backendDialMs, backendTimeoutMs }, runsLongScripts, heardMs } = this.#server;
    // One that is busy with others takes its time, but it is there.
    const isBusy = runsLongScripts || heardMs > sinceMs;
    return isBusy ? Math.max(backendDialMs, backendTimeoutMs) : backendDialMs;
  }
}
