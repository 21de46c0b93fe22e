/**
 * The import as a replica of one server: what the server sends, as it comes.
 *
 *     dial ─► AUTH ─► REPLCONF ─► PSYNC ─┬─► +FULLRESYNC ─► newlines ─► "$length" or "$EOF:mark" ─► RDB ─┐
 *                                        └─► +CONTINUE ──────────────────────────────────────────────────┴─► commands
 *
 * Nothing is read ahead: when keys cannot be written as fast as the server sends, the server waits, within
 * its `client-output-buffer-limit` for replicas.
 *
 * @module
 */

import { formatAddress } from "../../base/address.ts";
import type { ByteReader } from "../../io/byte_source.ts";
import { causeOf, type Connection, dial, hangUp, writeAll } from "../../io/dial.ts";
import type { TlsToServers } from "../../io/tls.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { ByteWindow } from "../byte_window.ts";
import type { SourceServer } from "./source_address.ts";

/** A place in the history of a server's changes. */
export interface HistoryPlace {
  /** Name of the history: the replication id. */
  readonly history: string;
  /** Bytes of it that are known. */
  readonly offset: number;
}

/** What the server sends first. */
export interface LinkStart extends HistoryPlace {
  /** Whether all keys come, before the changes. */
  readonly isFull: boolean;
  /** Bytes of the RDB; -1: not known, it ends with a mark. */
  readonly rdbBytes: number;
}

/** The server cannot be followed; it may be tried again. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

/** The server refuses to be followed, and will again. */
export class SourceRefusedError extends Error {
  override readonly name = "SourceRefusedError";
}

const DIAL_MS = 5_000;
/** A server that sends nothing for so long is gone: its `repl-timeout`. It pings every 10 s. */
const SILENCE_MS = 60_000;
/** How often the server is told what is stored, or by a newline that its RDB is not read yet. */
const ACK_MS = 1_000;
const MARK_BYTES = 40;
const LF = 10;
/** Longest line of a reply. */
const LINE_BYTES_MAX = 64 * 1024;

/** See the header. */
export class ReplicaLink {
  readonly window = new ByteWindow();
  readonly #name: string;
  readonly #connection: Connection;
  readonly #reader: ByteReader;
  /** After the RDB: where the next command begins, in bytes of the history. */
  offset = 0;
  /** What the server is told: so much is stored for good. */
  acknowledged = 0;
  #mark = "";
  #isLoading = true;
  #timer: ReturnType<typeof setInterval> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    name: string,
    connection: Connection,
    rate: (reader: ByteReader) => ByteReader,
  ) {
    this.#name = name;
    this.#connection = connection;
    this.#reader = rate(connection);
  }

  /**
   * Connects, and asks for all that has changed since a place, or for all keys.
   *
   * @param since What is known; undefined: nothing.
   * @param rate Slows down reading.
   * @throws {SourceError} When there is no connection, or the server cannot serve now.
   * @throws {SourceRefusedError} When it refuses the password or the commands.
   */
  static async open(
    { address, user, password }: SourceServer,
    since: HistoryPlace | undefined,
    tls: TlsToServers | undefined,
    rate: (reader: ByteReader) => ByteReader,
  ): Promise<{ readonly link: ReplicaLink; readonly start: LinkStart }> {
    const name = formatAddress(address);
    let connection: Connection;
    try {
      connection = await dial(address.hostname, address.port, DIAL_MS, tls);
    } catch (error) {
      throw new SourceError(`${name}: ${causeOf(error)}`);
    }
    const link = new ReplicaLink(name, connection, rate);
    try {
      if (password.isSet) {
        await link.#ask("AUTH", ...(user === "" ? [] : [user]), password.reveal());
      }
      // Old servers know fewer of these; what they do not know, they do not use.
      await link.#tell("REPLCONF", "listening-port", `${localPort(connection)}`);
      await link.#tell("REPLCONF", "capa", "eof", "capa", "psync2");
      return { link, start: await link.#start(since) };
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** Closes it. */
  close(): void {
    clearInterval(this.#timer);
    hangUp(this.#connection);
  }

  /**
   * Reads once.
   *
   * @throws {SourceError} When the connection ends, or the server is silent for too long.
   */
  async fill(): Promise<void> {
    const timer = setTimeout(() => hangUp(this.#connection), SILENCE_MS);
    const startMs = performance.now();
    try {
      if (await this.window.fill(this.#reader) === 0) throw new Error(CLOSED);
    } catch (error) {
      const isSilent = performance.now() - startMs >= SILENCE_MS;
      const cause = isSilent ? `it has sent nothing for ${SILENCE_MS / 1000} s` : causeOf(error);
      throw new SourceError(`${this.#name}: ${cause}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * After the last byte of the RDB: reads the mark behind it, if there is one. From now on, the server is told
   * what is stored.
   */
  async endRdb(): Promise<void> {
    if (this.#mark !== "") {
      while (this.window.length < MARK_BYTES) await this.fill();
      const { bytes, start } = this.window;
      if (latin1(bytes, start, start + MARK_BYTES) !== this.#mark) {
        throw new SourceError(`${this.#name}: the RDB does not end where the server says`);
      }
      this.window.use(MARK_BYTES);
    }
    this.#isLoading = false;
    this.acknowledged = this.offset;
    this.acknowledge();
  }

  /** Tells the server what is stored. */
  acknowledge(): void {
    this.#send(
      this.#isLoading
        ? new Uint8Array([LF])
        : encodeRequest(["REPLCONF", "ACK", `${this.acknowledged}`]),
    );
  }

  async #start(since: HistoryPlace | undefined): Promise<LinkStart> {
    const [id, offset] = since === undefined ? ["?", "-1"] : [since.history, `${since.offset + 1}`];
    this.#send(encodeRequest(["PSYNC", id!, offset!]));
    const line = await this.#line();
    const [word, history = "", number = ""] = line.split(" ");
    if (word === "+CONTINUE" && since !== undefined) {
      this.offset = since.offset;
      this.#isLoading = false;
      this.acknowledged = since.offset;
      this.#timer = setInterval(() => this.acknowledge(), ACK_MS);
      return {
        ...{ isFull: false, rdbBytes: 0 },
        history: history || since.history,
        offset: since.offset,
      };
    }
    if (word !== "+FULLRESYNC") throw this.#refused("PSYNC", line);
    this.#timer = setInterval(() => this.acknowledge(), ACK_MS);
    this.offset = Number(number);
    const rdbBytes = await this.#announced();
    return { isFull: true, history, offset: this.offset, rdbBytes };
  }

  /** Reads how the RDB is announced. */
  async #announced(): Promise<number> {
    const line = await this.#line();
    if (line.startsWith("$EOF:") && line.length === 5 + MARK_BYTES) {
      this.#mark = line.slice(5);
      return -1;
    }
    const [, digits] = /^\$(\d+)$/.exec(line) ?? [];
    if (digits !== undefined) return Number(digits);
    throw this.#refused("PSYNC", line);
  }

  async #ask(...words: string[]): Promise<void> {
    this.#send(encodeRequest(words));
    const line = await this.#line();
    if (line.startsWith("-")) throw this.#refused(words[0]!, line);
  }

  async #tell(...words: string[]): Promise<void> {
    this.#send(encodeRequest(words));
    const line = await this.#line();
    if (/^-(NOAUTH|NOPERM)/.test(line)) throw this.#refused(words[0]!, line);
  }

  /** Reads a line that is not empty. */
  async #line(): Promise<string> {
    for (;;) {
      const { bytes, start, end } = this.window;
      const lf = bytes.subarray(start, end).indexOf(LF);
      if (lf >= 0) {
        const line = latin1(bytes, start, start + lf).trimEnd();
        this.window.use(lf + 1);
        if (line !== "") return line;
      } else if (end - start > LINE_BYTES_MAX) {
        throw new SourceRefusedError(`${this.#name} is no Redis server`);
      } else await this.fill();
    }
  }

  #refused(name: string, line: string): Error {
    const text = `${this.#name} answers ${name} with: ${line.replace(/^-/, "").slice(0, 200)}`;
    const mayPass =
      /^-(LOADING|NOMASTERLINK|BUSY|MASTERDOWN|TRYAGAIN)|unstable|try again|Can't SYNC/i
        .test(line);
    return mayPass ? new SourceError(text) : new SourceRefusedError(text);
  }

  #send(bytes: Uint8Array): void {
    // A failure is seen when the connection is read.
    this.#writing = this.#writing.then(() => writeAll(this.#connection, bytes)).catch(() => {});
  }
}

const CLOSED =
  'the server has closed the connection. If it says why in its log, as "output buffer ' +
  'limits": raise client-output-buffer-limit for replicas there';

function localPort({ localAddr }: Connection): number {
  return localAddr.transport === "tcp" ? localAddr.port : 0;
}
