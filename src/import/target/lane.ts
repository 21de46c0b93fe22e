/**
 * One connection to a proxy of the product, or to the server that keys are exported to. The requests of one slot
 * always take the same lane, so that they are executed in their order.
 *
 *     begin, write ─► batch ─► one write ─► waits for its replies ─► forgotten
 *                                                └─ error reply, connection lost ─► trouble
 *
 * After the first trouble, all requests that follow are kept as well, until somebody takes them: they may
 * have met what the failed one did not write.
 *
 * @module
 */

import { type Address, formatAddress } from "../../base/address.ts";
import { delay } from "@std/async/delay";
import type { Secret } from "../../base/secret.ts";
import type { TlsToServers } from "../../io/tls.ts";
import { causeOf, type Connection, dial, hangUp, writeAll } from "../../io/dial.ts";
import { ReplyFramer } from "../../resp/reply_framer.ts";
import { latin1 } from "../../resp/latin1.ts";
import { BATCH_BYTES, RequestBatch, type SentRequest } from "./request_batch.ts";

/** How keys are written: through which proxies, or to which server. */
export interface TargetAccess {
  /** What is reached there, for messages. */
  readonly what: "proxy" | "target";
  /** The addresses, as they are now; asked for before each connection. */
  addresses(): Promise<readonly Address[]>;
  /** User of AUTH; `""`: the default user. */
  readonly user: string;
  readonly password: Secret;
  readonly tls?: TlsToServers | undefined;
}

/** Nothing could be reached for so long, or logged in at. */
export class TargetUnreachableError extends Error {
  override readonly name = "TargetUnreachableError";
}

/** Bytes on their way above which a lane takes no more. */
const SENT_BYTES_MAX = 4 * BATCH_BYTES;
/** Batches that are kept to be used again. */
const SPARE_MAX = 8;
const DIAL_MS = 2_000;
/** How long a reply may take. A proxy answers sooner, be it with an error. */
const REPLY_MS = 60_000;
/** How long all proxies are tried again before the import ends. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 500;
/**
 * After a connection was lost, requests that a proxy has taken may still be executed for so long. Nothing is
 * repeated before.
 */
const SETTLE_MS = 1_000;
const READ_BYTES = 64 * 1024;
/** Stands for the error reply of a request that has changed nothing, and must have. */
export const NOT_THERE = "ERR it has changed nothing";

/** See the header. */
export class Lane {
  /** Requests that were answered, or taken out as trouble. */
  settled = 0;
  /** Requests that were begun. */
  begun = 0;
  readonly #access: TargetAccess;
  readonly #number: number;
  #connection: Connection | undefined;
  #open: RequestBatch = new RequestBatch();
  readonly #sent: RequestBatch[] = [];
  /** Batches that can be used again. */
  readonly #spare: RequestBatch[] = [];
  #sentBytes = 0;
  #framer = new ReplyFramer();
  /** What has come of a reply that is an error, or an integer in several reads. */
  #text = "";
  #trouble: SentRequest[] = [];
  #isTroubled = false;
  #failure: Error | undefined;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();
  #writing: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(access: TargetAccess, number: number) {
    this.#access = access;
    this.#number = number;
  }

  /** Connects for the first time. */
  async open(): Promise<void> {
    this.#use(await this.#connect());
  }

  /** Whether the next request must wait for {@linkcode room}. */
  get isFull(): boolean {
    return this.#sentBytes + this.#open.length > SENT_BYTES_MAX || this.#failure !== undefined ||
      this.#isTroubled;
  }

  /** Whether there is trouble to take. */
  get isTroubled(): boolean {
    return this.#isTroubled;
  }

  /**
   * Waits until a request can be begun, or there is trouble.
   *
   * @throws {TargetUnreachableError} When nothing can be reached.
   */
  async room(): Promise<void> {
    this.flush();
    while (this.isFull && !this.#isTroubled) await this.#change();
  }

  /** The batch that the next request is to be written to, in a database. */
  begin(database: number): RequestBatch {
    this.begun++;
    let batch = this.#open;
    if (batch.length >= BATCH_BYTES || batch.database !== database && batch.count > 0) {
      this.flush();
      batch = this.#open;
    }
    if (batch.count === 0) {
      this.begun++;
      batch.database = database;
      batch.request(2).word("SELECT").word(database);
    }
    return batch;
  }

  /** Sends what was written. */
  flush(): void {
    const batch = this.#open;
    if (batch.count === 0) return;
    this.#open = this.#spare.pop() ?? new RequestBatch(batch);
    this.#sent.push(batch);
    this.#sentBytes += batch.length;
    const connection = this.#connection;
    if (connection === undefined) return; // who connects anew counts it as not answered
    if (this.#timer === undefined) this.#restartTimer();
    const bytes = batch.bytes.subarray(0, batch.length);
    this.#writing = this.#writing.then(() => writeAll(connection, bytes)).catch(() => {
      this.#lose(connection); // which waits for this promise
    });
  }

  /**
   * Waits until all requests are answered.
   *
   * @throws {TargetUnreachableError} When nothing can be reached.
   */
  async drain(): Promise<void> {
    this.flush();
    while (this.settled < this.begun) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until all requests that were begun up to now are answered. */
  async answered(): Promise<void> {
    const { begun } = this;
    this.flush();
    while (this.settled < begun) await this.#change();
  }

  /** Takes the requests from the first one on that failed. All must have been answered. */
  takeTrouble(): SentRequest[] {
    this.#isTroubled = false;
    return this.#trouble.splice(0);
  }

  /** Closes the connection. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (this.#connection !== undefined) hangUp(this.#connection);
    this.#connection = undefined;
    this.#failure ??= new TargetUnreachableError("the connection was closed");
    this.#tell();
  }

  async #change(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.#changed.promise;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #tell(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  // -- connection --

  #use(connection: Connection): void {
    this.#connection = connection;
    this.#framer = new ReplyFramer();
    this.#read(connection);
  }

  async #connect(): Promise<Connection> {
    const endMs = performance.now() + PATIENCE_MS;
    const { what } = this.#access;
    let cause = "none is registered and online";
    for (let attempt = 0; !this.#isClosed; attempt++) {
      const addresses = await this.#access.addresses().catch(() => []);
      const address = addresses[(this.#number + attempt) % Math.max(1, addresses.length)];
      if (address !== undefined) {
        try {
          return await this.#dial(address);
        } catch (error) {
          if (error instanceof TargetUnreachableError) throw error;
          cause = `${formatAddress(address)}: ${causeOf(error)}`;
        }
      }
      if (performance.now() >= endMs) break;
      await delay(RETRY_MS);
    }
    const seconds = PATIENCE_MS / 1000;
    throw new TargetUnreachableError(`no ${what} can be reached for ${seconds} s: ${cause}`);
  }

  async #dial(address: Address): Promise<Connection> {
    const { user, password, tls } = this.#access;
    const connection = await dial(address.hostname, address.port, DIAL_MS, tls);
    try {
      if (password.isSet) {
        const words = [...(user === "" ? [] : [user]), password.reveal()];
        await logIn(connection, address, words);
      }
      return connection;
    } catch (error) {
      hangUp(connection);
      throw error;
    }
  }

  async #read(connection: Connection): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) break;
        this.#take(buffer, count);
      }
    } catch {
      // The connection is broken, or what it brings is no reply.
    }
    this.#lose(connection);
  }

  #take(bytes: Uint8Array, end: number): void {
    const framer = this.#framer;
    for (let at = 0; at < end;) {
      const from = at;
      at = framer.feed(bytes, at, end);
      if (framer.error !== "") throw new Error(framer.error);
      const isError = framer.type === 45;
      const isInteger = framer.type === 58;
      const isSplit = !framer.isDone || this.#text !== "";
      if (isError || isInteger && isSplit) this.#text += latin1(bytes, from, at);
      if (!framer.isDone) break;
      framer.reset();
      const isZero = isInteger && (isSplit ? this.#text[1] === "0" : bytes[from + 1] === 48);
      this.#answered(isError ? this.#text.slice(1, -2) : "", isZero);
      this.#text = "";
    }
    if (this.#sent.length > 0) this.#restartTimer();
    else this.#stopTimer();
    this.#tell();
  }

  #answered(error: string, isZero: boolean): void {
    const batch = this.#sent[0];
    if (batch === undefined) throw new Error("a reply came without a request");
    const index = batch.answered++;
    this.settled++;
    if (error !== "") batch.errors.set(index, error);
    else if (isZero && batch.effective.has(index)) batch.errors.set(index, NOT_THERE);
    if (batch.answered < batch.count) return;
    this.#sent.shift();
    this.#sentBytes -= batch.length;
    this.#keepTrouble(batch);
    if (this.#spare.length < SPARE_MAX && batch.clear()) this.#spare.push(batch);
  }

  /** Keeps what failed in a batch that is done with, and all that follows. */
  #keepTrouble(batch: RequestBatch): void {
    const isWhole = batch.answered === batch.count;
    if (!this.#isTroubled && isWhole && batch.errors.size === 0) return;
    const first = this.#isTroubled ? 0 : Math.min(batch.answered, ...batch.errors.keys());
    this.#isTroubled = true;
    this.#trouble.push(...batch.requests(first));
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#timer = setTimeout(() => this.#lose(connection), REPLY_MS);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The connection is gone: nobody knows which of the requests that are on their way were executed. */
  async #lose(connection: Connection): Promise<void> {
    if (connection !== this.#connection || this.#isClosed) return;
    this.#connection = undefined;
    this.#stopTimer();
    this.#text = "";
    hangUp(connection);
    await this.#writing.catch(() => {});
    await delay(SETTLE_MS);
    let next: Connection | undefined;
    try {
      next = await this.#connect();
    } catch (error) {
      this.#failure = error as Error;
    }
    // Also what was flushed meanwhile.
    for (const batch of this.#sent.splice(0)) {
      this.settled += batch.count - batch.answered;
      this.#keepTrouble(batch);
    }
    this.#sentBytes = 0;
    if (next !== undefined && !this.#isClosed) this.#use(next);
    else if (next !== undefined) hangUp(next);
    this.#tell();
  }
}

/** Sends AUTH, and reads its reply. */
async function logIn(
  connection: Connection,
  address: Address,
  words: readonly string[],
): Promise<void> {
  const batch = new RequestBatch();
  batch.request(1 + words.length).word("AUTH");
  for (const word of words) batch.word(word);
  await writeAll(connection, batch.bytes.subarray(0, batch.length));
  const buffer = new Uint8Array(1024);
  let text = "";
  while (!text.endsWith("\r\n")) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("connection closed at AUTH");
    text += latin1(buffer, 0, count);
  }
  if (text.startsWith("+")) return;
  throw new TargetUnreachableError(
    `${formatAddress(address)} refuses the password: ${text.slice(1, -2)}`,
  );
}
