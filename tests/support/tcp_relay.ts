/**
 * A network that fails when told to: a relay between a client and a server of 127.0.0.1.
 *
 * @module
 */

import { delay } from "@std/async/delay";

/** Where the relay stands: `stalled` takes bytes and connections, and passes nothing on. */
type RelayState = "open" | "stalled" | "closed";

/** How a relay passes bytes on. */
export interface RelayOptions {
  /** Most bytes that are passed on at once; by default as they come. */
  readonly pieceBytes?: number;
  /** How long everything takes on its way, in milliseconds. @default 0 */
  readonly delayMs?: number;
}

const READ_BYTES = 64 * 1024;

/** Listens on a port of its own and passes all bytes on, until it is told otherwise. */
export class TcpRelay implements AsyncDisposable {
  readonly port: number;
  /** `host:port`, as config.ini writes it. */
  readonly addr: string;
  readonly #targetPort: number;
  readonly #pieceBytes: number;
  readonly #delayMs: number;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.Conn>();
  readonly #running = new Set<Promise<void>>();
  #state: RelayState = "open";
  #hasQuestions = true;
  #gate = Promise.withResolvers<void>();
  /** What is held back on one connection, or is to be. */
  #hold: { marker: string; held: PromiseWithResolvers<void> } | undefined;
  #release = Promise.withResolvers<void>();

  private constructor(targetPort: number, options: RelayOptions) {
    this.#targetPort = targetPort;
    this.#pieceBytes = options.pieceBytes ?? READ_BYTES;
    this.#delayMs = options.delayMs ?? 0;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.addr = `127.0.0.1:${this.port}`;
    this.#gate.resolve();
    this.#run(this.#accept());
  }

  /** Starts a relay to a port of this machine. */
  static start(targetPort: number, options: RelayOptions = {}): TcpRelay {
    return new TcpRelay(targetPort, options);
  }

  /** Closes every connection that there is; new ones are welcome. */
  cut(): void {
    for (const connection of [...this.#connections]) this.#close(connection);
  }

  /**
   * Passes nothing on any more, as a hung server or a silent network does; or only nothing of what the
   * server says, so that what is asked for happens unheard.
   */
  stall(what: "everything" | "answers" = "everything"): void {
    if (this.#state !== "open") return;
    this.#state = "stalled";
    this.#hasQuestions = what === "answers";
    this.#gate = Promise.withResolvers<void>();
  }

  /** Ends a stall; what was sent meanwhile arrives. */
  resume(): void {
    if (this.#state !== "stalled") return;
    this.#state = "open";
    this.#hasQuestions = true;
    this.#gate.resolve();
  }

  /**
   * Holds back the next bytes with `marker` in them that a client sends, and all that follows on that
   * connection, as a network may that lost a packet; every other connection goes on.
   *
   * @returns When there are such bytes.
   */
  hold(marker: string): Promise<void> {
    this.#hold = { marker, held: Promise.withResolvers<void>() };
    return this.#hold.held.promise;
  }

  /** Lets what is held back arrive, whether its sender is still there or not. */
  release(): void {
    this.#release.resolve();
    this.#release = Promise.withResolvers<void>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = "closed";
    this.release();
    this.#listener.close();
    this.cut();
    this.#gate.resolve();
    await Promise.all(this.#running);
  }

  #run(task: Promise<void>): void {
    const settled = task.catch(() => {}).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.#connections.add(client);
      this.#run(this.#relay(client));
    }
  }

  async #relay(client: Deno.Conn): Promise<void> {
    if (!this.#hasQuestions) await this.#gate.promise;
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#targetPort })
      .catch(() => undefined);
    if (server === undefined || !this.#connections.has(client)) {
      server?.close();
      return this.#close(client);
    }
    this.#connections.add(server);
    await Promise.all([
      this.#pump(client, server, () => this.#hasQuestions),
      this.#pump(server, client, () => false),
    ]);
  }

  async #pump(from: Deno.Conn, to: Deno.Conn, isFree: () => boolean): Promise<void> {
    const bytes = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const count = await from.read(bytes);
        if (count === null) break;
        if (!isFree()) await this.#gate.promise;
        if (this.#delayMs > 0) await delay(this.#delayMs);
        if (this.#isToHold(bytes.subarray(0, count))) await this.#release.promise;
        for (let sent = 0; sent < count;) {
          sent += await to.write(bytes.subarray(sent, Math.min(count, sent + this.#pieceBytes)));
        }
      }
    } catch {
      // Either side has gone, and the other one shall.
    }
    this.#close(from);
    this.#close(to);
  }

  #isToHold(bytes: Uint8Array): boolean {
    const hold = this.#hold;
    if (hold === undefined || !new TextDecoder("latin1").decode(bytes).includes(hold.marker)) {
      return false;
    }
    this.#hold = undefined;
    hold.held.resolve();
    return true;
  }

  #close(connection: Deno.Conn): void {
    if (!this.#connections.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // It was closed already.
    }
  }
}
