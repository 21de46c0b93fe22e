/**
 * A receiver of outage events, over http or https: `await using receiver = WebhookReceiver.start()`.
 *
 * @module
 */

import { freePort } from "./free_port.ts";
import { tlsText } from "./tls.ts";

/** What it was sent. */
export interface ReceivedPost {
  readonly headers: Headers;
  readonly body: string;
  /** The body as JSON. */
  // deno-lint-ignore no-explicit-any -- what a test looks for differs
  readonly json: any;
}

/** See the header. */
export class WebhookReceiver implements AsyncDisposable {
  readonly url: string;
  /** Everything that it was sent, whatever it answered. */
  readonly posts: ReceivedPost[] = [];
  /** How the next requests are answered; then with 204. */
  readonly answers: number[] = [];
  readonly #server: Deno.HttpServer;

  private constructor(isTls: boolean) {
    const port = freePort();
    this.url = `http${isTls ? "s" : ""}://127.0.0.1:${port}/hook?key=geheim`;
    this.#server = Deno.serve({
      ...{ hostname: "127.0.0.1", port, onListen() {} },
      ...isTls ? { cert: tlsText("server"), key: tlsText("server-key") } : {},
    }, (request) => this.#answer(request));
  }

  /** Starts one. */
  static start({ isTls = false } = {}): WebhookReceiver {
    return new WebhookReceiver(isTls);
  }

  async #answer(request: Request): Promise<Response> {
    const body = await request.text();
    this.posts.push({ headers: request.headers, body, json: JSON.parse(body) });
    const status = this.answers.shift() ?? 204;
    const headers = status >= 300 && status < 400 ? { location: "http://127.0.0.1:1/" } : {};
    return new Response(null, { status, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
