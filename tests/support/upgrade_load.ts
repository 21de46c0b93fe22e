/**
 * Clients that count, and connect again when the proxy has ended their connection: what an upgrade costs them.
 *
 *     steady: one connection, as of a pool that looks whether it has ended before it uses it
 *     short:  a connection for each command
 *
 * Each client has a key of its own, so every answer is known beforehand: one that is lower than it must be
 * shows a lost write, one that is higher a command that was executed although its connection ended without
 * an answer, and that was sent again.
 *
 * @module
 */

import { delay } from "@std/async/delay";

/** What happened to all clients together. */
export interface UpgradeCounts {
  commands: number;
  /** Connections that ended between two requests, seen before the next one was sent. */
  endedBetween: number;
  /** Commands whose connection ended before their answer: the client cannot know whether they were executed. */
  unanswered: number;
  /** Connections that were refused, or reset before the first answer. */
  failedConnects: number;
  /** How often connects and commands failed, by the system's words. */
  readonly causes: Record<string, number>;
  /** Answers that are errors, or not what they had to be. */
  wrong: string[];
  /** The longest time from the first try of a command to its answer, in milliseconds. */
  longestMs: number;
}

/** How a load is made up. */
export interface UpgradeLoadOptions {
  readonly port: number;
  readonly steady: number;
  readonly short: number;
  /** Mean pause of a client between two commands, in milliseconds. */
  readonly pauseMs: number;
  /** Clients connect with TLS, and trust this authority. @default no TLS */
  readonly ca?: string | undefined;
  /** What the names of its keys begin with; two loads need two. @default "up" */
  readonly prefix?: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Pause before a client connects again that was refused, in milliseconds. */
const AGAIN_MS = 5;

/**
 * Shows its client what has come: the system tells of that in its order, so what was there before the knock is
 * known when it is heard. A pause alone shows nothing on a busy machine.
 */
class Door {
  readonly #inner: Deno.Conn;
  readonly #outer: Deno.Conn;

  private constructor(inner: Deno.Conn, outer: Deno.Conn) {
    this.#inner = inner;
    this.#outer = outer;
  }

  static async open(): Promise<Door> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const inner = listener.accept();
    const outer = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    return new Door(await inner, outer);
  }

  async knock(): Promise<void> {
    const heard = this.#inner.read(new Uint8Array(1));
    await this.#outer.write(new Uint8Array(1));
    await heard;
  }

  [Symbol.dispose](): void {
    this.#inner.close();
    this.#outer.close();
  }
}

/** One connection, with a read always under way. */
class Connection {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(512);
  #reading: Promise<number | null>;
  /** Whether it has ended, as far as is known. */
  hasEnded = false;
  answered = 0;
  /** Why it has ended, in the system's words. */
  cause = "end of file";

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    this.#reading = this.#read();
  }

  async #read(): Promise<number | null> {
    const count = await this.#conn.read(this.#buffer).catch((error) => {
      this.cause = `${error}`;
      return null;
    });
    if (count === null) this.hasEnded = true;
    return count;
  }

  /** The answer; undefined when the connection has ended before it. */
  async incr(key: string): Promise<string | undefined> {
    try {
      await this.#conn.write(encoder.encode(`*2\r\n$4\r\nINCR\r\n$${key.length}\r\n${key}\r\n`));
    } catch (error) {
      this.cause = `${error}`;
      return undefined;
    }
    let text = "";
    while (!text.endsWith("\r\n")) {
      const count = await this.#reading;
      if (count === null) return undefined;
      text += decoder.decode(this.#buffer.subarray(0, count));
      this.#reading = this.#read();
    }
    this.answered++;
    return text.slice(0, -2);
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // The read has seen its end.
    }
  }
}

/** See the header. */
export class UpgradeLoad {
  readonly counts: UpgradeCounts = {
    ...{
      commands: 0,
      endedBetween: 0,
      unanswered: 0,
      failedConnects: 0,
      causes: {},
      wrong: [],
      longestMs: 0,
    },
  };
  readonly #options: UpgradeLoadOptions;
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: UpgradeLoadOptions) {
    this.#options = options;
  }

  start(): void {
    const { steady, short, prefix = "up" } = this.#options;
    for (let i = 0; i < steady + short; i++) {
      this.#running.push(this.#run(`${prefix}${i}`, i < steady));
    }
  }

  async stop(): Promise<UpgradeCounts> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    return this.counts;
  }

  async #run(key: string, isSteady: boolean): Promise<void> {
    let connection: Connection | undefined;
    using door = await Door.open();
    for (let value = 1; !this.#isStopped; value++) {
      await delay(2 * Math.random() * this.#options.pauseMs);
      const startedMs = performance.now();
      let answer: string | undefined;
      while (answer === undefined) {
        // As a library asks the system: what has come is seen.
        await door.knock();
        if (connection?.hasEnded) {
          this.counts.endedBetween++;
          connection.close();
          connection = undefined;
        }
        connection ??= await this.#connect();
        answer = await connection.incr(key);
        if (answer === undefined) {
          if (connection.answered === 0) this.#failed(connection.cause);
          else {
            this.counts.unanswered++;
            this.#count(`unanswered: ${connection.cause}`);
          }
        }
        if (answer !== undefined && isSteady) continue;
        connection.close();
        connection = undefined;
      }
      this.counts.longestMs = Math.max(this.counts.longestMs, performance.now() - startedMs);
      this.counts.commands++;
      if (answer !== `:${value}`) this.counts.wrong.push(`${key}: ${answer}, not :${value}`);
      const found = /^:(\d+)$/.exec(answer);
      value = found === null ? value - 1 : Number(found[1]);
    }
    connection?.close();
  }

  #failed(cause: string): void {
    this.counts.failedConnects++;
    this.#count(cause);
  }

  #count(cause: string): void {
    const { causes } = this.counts;
    causes[cause] = (causes[cause] ?? 0) + 1;
  }

  async #connect(): Promise<Connection> {
    for (;;) {
      try {
        return new Connection(await this.#open());
      } catch (error) {
        this.#failed(`${error}`);
        await delay(AGAIN_MS);
      }
    }
  }

  async #open(): Promise<Deno.Conn> {
    const { port, ca } = this.#options;
    if (ca !== undefined) {
      const conn = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [ca] });
      await conn.handshake();
      return conn;
    }
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return conn;
  }
}
