/**
 * An HTTP server that answers as it is told and remembers what it was asked: the other side of the
 * config commands.
 *
 * @module
 */

/** What is answered: a status and a body, or something that is done first. */
export type Answer = {
  readonly status?: number;
  readonly body: string;
};

/** How one kind of request is answered. */
export type Answerer = Answer | (() => Answer | Promise<Answer>);

/** What a dashboard says to every change that it made. */
export const OK: Answer = { body: '{"msg":"OK","ret":0}' };

/** JSON as Codis 2.0's dashboard lays it out. */
export function json(value: unknown): Answer {
  return { body: JSON.stringify(value, null, 2) };
}

/** The server; `await using dashboard = new RecordingDashboard({ "GET /api/slots": json([]) })`. */
export class RecordingDashboard implements AsyncDisposable {
  /** `host:port`. */
  readonly addr: string;
  /** Every request: `POST /api/slot {"from":0,…}`. */
  readonly requests: string[] = [];
  /** The `authorization` header of every request; `null` where there was none. */
  readonly tokens: (string | null)[] = [];
  /** By method and path with query: `GET /api/slots`; others get 404. */
  readonly answers: Record<string, Answerer>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answers: Record<string, Answerer> = {}, port = 0) {
    this.answers = answers;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen() {} },
      (request) => this.#answer(request),
    );
    this.addr = `127.0.0.1:${this.#server.addr.port}`;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const what = `${request.method} ${pathname}${search}`;
    const body = await request.text();
    this.requests.push(body === "" ? what : `${what} ${body}`);
    this.tokens.push(request.headers.get("authorization"));
    const answerer = this.answers[what] ?? { status: 404, body: '{"error":"no such route"}' };
    const answer = typeof answerer === "function" ? await answerer() : answerer;
    // Codis 2.0 names no type; what matters is what is in the body.
    return new Response(answer.body, { status: answer.status ?? 200 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
