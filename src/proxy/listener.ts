/**
 * Accepts clients and hands them to the router.
 *
 * @module
 */

import type { Router } from "../router/router.ts";

/** Pause after an accept that failed for want of something, such as descriptors; milliseconds. */
const ACCEPT_RETRY_MS = 10;

/** Accepts connections until it is stopped. */
export class Listener {
  readonly #listener: Deno.TcpListener;
  readonly #router: Router;
  #isStopped = false;

  /** Takes the bound socket; nothing is accepted before {@linkcode Listener.run}. */
  constructor(listener: Deno.TcpListener, router: Router) {
    this.#listener = listener;
    this.#router = router;
  }

  /** The address it is bound to. */
  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  /**
   * Accepts until {@linkcode Listener.stop}.
   *
   * @param onError Hears of accepts that failed; the listener goes on after each.
   */
  async run(onError: (error: unknown) => void): Promise<void> {
    while (!this.#isStopped) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (this.#isStopped) return;
        onError(error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
        continue;
      }
      try {
        connection.setNoDelay(true);
        connection.setKeepAlive(true);
        this.#router.accept(connection);
      } catch (error) {
        // The client was gone before it was here.
        onError(error);
        try {
          connection.close();
        } catch {
          // Already closed by the system.
        }
      }
    }
  }

  /** Stops accepting; connections that were accepted stay. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#listener.close();
  }
}
