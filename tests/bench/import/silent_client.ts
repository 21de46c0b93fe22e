/**
 * A client that wants no replies (`CLIENT REPLY OFF`), to send a lot with little work.
 *
 * @module
 */

import { RespClient } from "../../support/resp_client.ts";

/** Bytes that are sent at a time. */
const FLUSH_BYTES = 128 * 1024;
const ENCODER = new TextEncoder();

/** See the header. */
export class SilentClient implements Disposable {
  readonly #client: RespClient;
  #bytes = new Uint8Array(2 * FLUSH_BYTES);
  #length = 0;
  #database = 0;

  private constructor(client: RespClient) {
    this.#client = client;
  }

  /** Connects to a port of this machine. */
  static async connect(port: number): Promise<SilentClient> {
    const client = new SilentClient(await RespClient.connect(port, "127.0.0.1", 120_000));
    client.add("CLIENT", "REPLY", "OFF");
    return client;
  }

  /** Selects a database, unless it is selected. */
  select(database: number): void {
    if (database !== this.#database) this.add("SELECT", `${this.#database = database}`);
  }

  /** Adds a request to what is sent next. */
  add(...words: readonly (string | Uint8Array)[]): void {
    this.#line("*", words.length);
    for (const word of words) {
      this.#reserve(word instanceof Uint8Array ? word.length : 3 * word.length);
      if (word instanceof Uint8Array) {
        this.#line("$", word.length);
        this.#bytes.set(word, this.#length);
        this.#length += word.length;
      } else {
        // All names and values are ASCII.
        this.#line("$", word.length);
        this.#length += ENCODER.encodeInto(word, this.#bytes.subarray(this.#length)).written;
      }
      this.#bytes[this.#length++] = 13;
      this.#bytes[this.#length++] = 10;
    }
  }

  /** Whether much waits to be sent. */
  get isFull(): boolean {
    return this.#length >= FLUSH_BYTES;
  }

  /** Sends what was added. */
  async flush(): Promise<void> {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    await this.#client.sendRaw(bytes);
  }

  /** Sends what was added, and waits until all is executed. */
  async settle(): Promise<void> {
    this.add("CLIENT", "REPLY", "ON");
    await this.flush();
    if (await this.#client.read().then(({ value }) => value) !== "OK") throw new Error("no OK");
    this.add("CLIENT", "REPLY", "OFF");
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #line(type: "*" | "$", value: number): void {
    this.#reserve(32);
    const text = `${type}${value}\r\n`;
    this.#length += ENCODER.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  #reserve(count: number): void {
    const needed = this.#length + count + 64;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * needed);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
