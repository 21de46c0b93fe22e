/**
 * A port that takes no further connection: who connects hears neither yes nor no.
 *
 * @module
 */

/** Connections that are not taken within this time never will be, in milliseconds. */
const FULL_AFTER_MS = 200;
/** More than any system lets wait in so short a queue. */
const FILLERS_MAX = 20;

/** A listener that accepts nobody and whose queue is full. */
export class FullBacklog implements Disposable {
  /** `host:port`, as config.ini writes it. */
  readonly addr: string;
  readonly #listener: Deno.TcpListener;
  readonly #fillers: Deno.Conn[] = [];

  private constructor() {
    // The type does not know the option, the runtime does.
    const options: Deno.TcpListenOptions & { tcpBacklog: number } = {
      hostname: "127.0.0.1",
      port: 0,
      tcpBacklog: 1,
    };
    this.#listener = Deno.listen(options);
    this.addr = `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Opens the port and fills its queue. */
  static async open(): Promise<FullBacklog> {
    const backlog = new FullBacklog();
    while (await backlog.#fill());
    return backlog;
  }

  /** Returns whether there was room for one more. */
  async #fill(): Promise<boolean> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), FULL_AFTER_MS);
    const { port } = this.#listener.addr;
    try {
      const options: Deno.ConnectOptions & { signal: AbortSignal } = {
        hostname: "127.0.0.1",
        port,
        signal: abort.signal,
      };
      this.#fillers.push(await Deno.connect(options));
    } catch (error) {
      if (abort.signal.aborted) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    if (this.#fillers.length > FILLERS_MAX) throw new Error("the queue is never full");
    return true;
  }

  [Symbol.dispose](): void {
    for (const conn of this.#fillers) conn.close();
    this.#listener.close();
  }
}
