/**
 * Calls to etcd's JSON gateway: several endpoints, of which one is in use until it fails.
 *
 *     call ──► endpoint in use ──► answer
 *                   │
 *                   └─ refused, silent, without a leader ──► the next one is in use, what waits for
 *                      the old one is cut; what can have no double effect is sent again
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import { Semaphore } from "../semaphore.ts";
import { isTlsFault } from "../../io/tls.ts";
import { startDeadline } from "../deadline.ts";

/** PEM texts; all of them or none for the client's own certificate. */
export interface EtcdTls {
  /** Certificates of the authority, when the system's are not to be trusted for this. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** How etcd is reached. */
export interface EtcdClientOptions {
  /** URLs without a path, such as `http://etcd-1:2379`. */
  readonly endpoints: readonly string[];
  /** `user:password`; not set: none. */
  readonly auth: Secret;
  readonly tls: EtcdTls;
  /** Longest time that one endpoint may take for one call. */
  readonly attemptMs: number;
  /**
   * Called when no endpoint answers any more, once per endpoint that did not.
   *
   * @param isUntrusted Whether they and we do not trust each other's certificates: waiting mends nothing.
   */
  onLost(isUntrusted: boolean): void;
}

/** Why a call failed. */
export type EtcdErrorKind =
  /** No endpoint could be reached with it: it has not taken effect. */
  | "unsent"
  /** No answer: it may have taken effect. */
  | "unanswered"
  /** What it names is not there: a lease, for us. */
  | "not_found"
  /** User, password or rights are not what etcd wants, or it is too old to be asked. */
  | "denied"
  /** Anything else that etcd says. */
  | "refused";

/** A call that failed. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly kind: EtcdErrorKind;

  /** A call that failed in this way, in etcd's words or the network's. */
  constructor(kind: EtcdErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Calls in flight at a time; each takes a connection of its own. */
const CALLS_MAX = 16;

/** An endpoint that was given less time than this to answer is not at fault; milliseconds. */
const FAIR_ATTEMPT_MS = 200;

/** Longest line of a stream: one message with all its events. */
const LINE_CHARS_MAX = 64 * 1024 * 1024;

/** gRPC's codes, as far as they mean something to us. */
const CODE_KINDS: Readonly<Record<number, EtcdErrorKind>> = {
  4: "unanswered", // deadline exceeded
  5: "not_found",
  7: "denied",
  14: "unanswered", // unavailable: no leader, leader changed, request timed out
  16: "denied", // unauthenticated
};

/** What etcd says when a token has ended, or the users have changed since it was given. */
const STALE_TOKEN = /invalid auth token|auth store is old|user name is empty/;

/** What etcd says, under codes of other kinds, when we shall not get in however often we try. */
const DENIALS = /authentication failed|user name is empty|authentication is not enabled/;

const AUTHENTICATE = "/v3/auth/authenticate";

const log = logger("coordinator");

/** See the header. */
export class EtcdClient {
  readonly #options: EtcdClientOptions;
  readonly #http: Deno.HttpClient;
  /** Calls, and streams, at the endpoint in use. */
  readonly #calls = new Set<AbortController>();
  readonly #streams = new Set<AbortController>();
  #isClosed = false;
  #used: number;
  /** Endpoints left in a row without an answer from any. */
  #failures = 0;
  /** Endpoints left in a row over TLS. */
  #distrusts = 0;
  #problem = "no endpoint has answered";
  #token: string | undefined;
  readonly #inFlight = new Semaphore(CALLS_MAX);

  /** Makes no call yet. */
  constructor(options: EtcdClientOptions) {
    this.#options = options;
    this.#used = Math.floor(Math.random() * options.endpoints.length);
    const { ca, cert, key } = options.tls;
    this.#http = Deno.createHttpClient({
      ...(ca === undefined ? {} : { caCerts: [ca] }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      // With HTTP/2 a hung stream would take all others along.
      http1: true,
      http2: false,
    });
  }

  /** The last thing that went wrong with an endpoint, for messages. */
  get problem(): string {
    return this.#problem;
  }

  /**
   * Makes one call.
   *
   * @param path As `/v3/kv/range`.
   * @param isRepeatable Whether doing it twice is as good as once: then a second endpoint may be tried
   * when the first one does not answer.
   * @throws {EtcdError} When it fails, at the latest at `deadlineMs` of the monotonic clock.
   */
  async call<T>(
    path: string,
    body: unknown,
    deadlineMs: number,
    isRepeatable: boolean,
  ): Promise<T> {
    if (!await this.#inFlight.acquire(deadlineMs)) {
      throw new EtcdError("unsent", "too many calls were in flight");
    }
    try {
      for (let attempt = 1;; attempt++) {
        try {
          return await this.#callOnce<T>(path, body, deadlineMs);
        } catch (error) {
          if (!(error instanceof EtcdError)) throw error;
          const canRepeat = error.kind === "unsent" ||
            (error.kind === "unanswered" && isRepeatable);
          const isOver = attempt >= this.#options.endpoints.length ||
            performance.now() >= deadlineMs || this.#isClosed;
          if (!canRepeat || isOver) throw error;
        }
      }
    } finally {
      this.#inFlight.release();
    }
  }

  /**
   * Follows a stream of answers until it breaks or `over` is aborted: by its owner, who gives an
   * EtcdError for the reason, or because the endpoint is given up.
   *
   * @throws {EtcdError} Always, in the end.
   */
  async *stream<T>(path: string, body: unknown, over: AbortController): AsyncGenerator<T> {
    const { attemptMs } = this.#options;
    const endpoint = this.#endpoint();
    this.#streams.add(over);
    try {
      const end = startDeadline(attemptMs, () => over.abort(silence(attemptMs)));
      const opening = this.#open(endpoint, path, body, over.signal);
      const response = await orAborted(opening, over.signal).finally(end);
      this.#failures = 0;
      for await (const line of linesOf(response.body!, over.signal)) yield parseMessage<T>(line);
      throw new Error("it ended the stream");
    } catch (error) {
      const reason = over.signal.aborted ? over.signal.reason : error;
      throw reason instanceof EtcdError ? reason : this.#fail(endpoint, reason);
    } finally {
      this.#streams.delete(over);
    }
  }

  /** Ends every call and stream, and all connections. */
  close(): void {
    this.#isClosed = true;
    const closed = new EtcdError("unanswered", "closed");
    for (const over of [...this.#calls, ...this.#streams]) over.abort(closed);
    this.#http.close();
  }

  // -- one call --

  async #callOnce<T>(path: string, body: unknown, deadlineMs: number): Promise<T> {
    const endpoint = this.#endpoint();
    for (let hasRenewed = false;; hasRenewed = true) {
      try {
        const answer = await this.#ask<T>(endpoint, path, body, deadlineMs);
        this.#failures = 0;
        this.#distrusts = 0;
        return answer;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw this.#fail(endpoint, error);
        if (error.kind === "unanswered") throw this.#fail(endpoint, error);
        if (error.kind === "denied") this.#problem = `${endpoint}: ${error.message}`;
        const isStale = this.#options.auth.isSet && STALE_TOKEN.test(error.message);
        if (!isStale || hasRenewed) throw error;
        this.#token = undefined;
      }
    }
  }

  /** Asks one endpoint and waits for the whole answer, no longer than an attempt may take. */
  async #ask<T>(endpoint: string, path: string, body: unknown, deadlineMs: number): Promise<T> {
    const leftMs = Math.min(this.#options.attemptMs, deadlineMs - performance.now());
    if (leftMs <= 0 || this.#isClosed) throw new EtcdError("unsent", "no time is left");
    const over = new AbortController();
    const end = startDeadline(leftMs, () => {
      // A call that had little time left says nothing about the endpoint: only the call has failed.
      const isFair = leftMs >= FAIR_ATTEMPT_MS;
      const late = silence(leftMs);
      over.abort(isFair ? late : new EtcdError("unanswered", `${endpoint}: ${late.message}`));
    });
    this.#calls.add(over);
    try {
      const answer = this.#open(endpoint, path, body, over.signal)
        .then((response) => response.text());
      return parseMessage<T>(await orAborted(answer, over.signal));
    } finally {
      end();
      this.#calls.delete(over);
    }
  }

  /** Sends a request and waits for the head of its answer. */
  async #open(
    endpoint: string,
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<Response> {
    const token = path === AUTHENTICATE ? undefined : await this.#tokenFrom(endpoint);
    const response = await fetch(endpoint + path, {
      method: "POST",
      body: JSON.stringify(body),
      ...(token === undefined ? {} : { headers: { authorization: token } }),
      client: this.#http,
      signal,
    });
    if (!response.ok) throw readError(response.status, await response.text());
    return response;
  }

  /** The token that stands for user and password; etcd lets it end when it is not used. */
  async #tokenFrom(endpoint: string): Promise<string | undefined> {
    const { auth, attemptMs } = this.#options;
    if (!auth.isSet || this.#token !== undefined) return this.#token;
    const logins = auth.revealAll();
    const deadlineMs = performance.now() + attemptMs;
    for (const [i, login] of logins.entries()) {
      const [name, ...rest] = login.split(":");
      const body = { name, password: rest.join(":") };
      try {
        const answer = await this.#ask<{ token: string }>(
          ...[endpoint, AUTHENTICATE, body, deadlineMs] as const,
        );
        return this.#token = answer.token;
      } catch (error) {
        // etcd may not have been told of the new password yet.
        const isWrong = error instanceof EtcdError && error.kind === "denied";
        if (!isWrong || i === logins.length - 1) throw error;
      }
    }
  }

  // -- endpoints --

  #endpoint(): string {
    return this.#options.endpoints[this.#used]!;
  }

  /** Gives an endpoint up, once for all calls that it failed. */
  #fail(endpoint: string, error: unknown): EtcdError {
    // Cut together with others, when it was given up.
    if (error instanceof EtcdError && error.message.startsWith(endpoint)) return error;
    const reason = reasonIn(error);
    const message = `${endpoint}: ${reason}`;
    const failure = new EtcdError(/\(Connect\)/.test(reason) ? "unsent" : "unanswered", message);
    if (this.#isClosed || endpoint !== this.#endpoint()) return failure;
    this.#problem = message;
    log.debug("etcd {endpoint} does not answer, using the next endpoint: {reason}", {
      endpoint,
      reason,
    });
    this.#used = (this.#used + 1) % this.#options.endpoints.length;
    this.#failures++;
    this.#distrusts = isTlsFault(reason) ? this.#distrusts + 1 : 0;
    // Its other calls would wait in vain, as all do when a connection is lost.
    const cut = new EtcdError("unanswered", message);
    for (const over of [...this.#calls, ...this.#streams]) over.abort(cut);
    const { length } = this.#options.endpoints;
    if (this.#failures >= length) this.#options.onLost(this.#distrusts >= length);
    return failure;
  }
}

/** What an endpoint is given up for when it does not answer. */
function silence(ms: number): Error {
  return new Error(`silent for ${Math.round(ms)} ms`);
}

/** What `work` comes to, or the reason for which it is aborted; does not wait for it to notice. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener("abort", end);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

/** What the network or etcd says, without what we know anyway. */
export function reasonIn(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return reason.replace(/^error sending request .*?(?=client error)/, "");
}

/** A message of a stream stands in a line of its own; chunks end anywhere. */
async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await orAborted(reader.read(), signal);
      if (done) return;
      const text = decoder.decode(value, { stream: true });
      rest += text;
      if (rest.length > LINE_CHARS_MAX) throw new Error(`a message above ${LINE_CHARS_MAX} bytes`);
      if (!text.includes("\n")) continue;
      const lines = rest.split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line !== "") yield line;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Reads one JSON object; a stream's says `result` or `error`. */
function parseMessage<T>(text: string): T {
  const message = JSON.parse(text) as { result?: T; error?: unknown };
  if (message.error !== undefined) throw readError(0, text);
  return message.result ?? message as T;
}

function readError(status: number, text: string): EtcdError {
  try {
    const { error, message, code, grpc_code } = flatten(JSON.parse(text));
    const kind = CODE_KINDS[Number(code ?? grpc_code)] ??
      (DENIALS.test(`${message ?? error}`) ? "denied" : "refused");
    return new EtcdError(kind, `${message ?? error}`);
  } catch {
    if (status === 404) {
      return new EtcdError("denied", "it has no API of version 3: etcd 3.4 or later is needed");
    }
    // No gateway of etcd's, or not yet.
    return new EtcdError("unanswered", `HTTP status ${status}`);
  }
}

/** In a stream the error is an object, elsewhere it is the answer itself. */
function flatten(answer: Record<string, unknown>): Record<string, unknown> {
  const { error } = answer;
  return typeof error === "object" && error !== null ? error as Record<string, unknown> : answer;
}
