/**
 * A proxy of Codis 2.0, as far as a dashboard asks it over HTTP: it has `/debug/vars`, and nothing of ours.
 *
 * @module
 */

import { createProxy } from "../../src/store/proxies.ts";
import type { Store } from "../../src/store/store.ts";
import { RECORD } from "./proxy_record.ts";

/** See the header; it is registered, online, and confirms nothing. */
export class CodisProxy implements AsyncDisposable {
  readonly #http = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    ({ url }) =>
      url.endsWith("/debug/vars")
        ? Response.json({ router: { ops: 1 } })
        : new Response("", { status: 404 }),
  );

  private constructor() {}

  /** Starts it and registers it. */
  static async start(store: Store, id: string): Promise<CodisProxy> {
    const proxy = new CodisProxy();
    const debug_var_addr = `127.0.0.1:${proxy.#http.addr.port}`;
    await createProxy(store, { ...RECORD, id, state: "online", debug_var_addr });
    return proxy;
  }

  /** Ends it, as when it was killed: its entry stays. */
  async end(): Promise<void> {
    await this.#http.shutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
