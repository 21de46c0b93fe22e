/**
 * Sends requests to the dashboard that leads, and waits while it starts.
 *
 *     question ── request, token ──► dashboard ── 200 ──► answer, checked
 *                    ▲                 ├── refuses connections, or none leads: it may be starting
 *                    └─────────────────┘
 *                                      ├── 503 + leader ──► the same to the leader, once
 *                                      ├── anything else ──► DashboardError
 *                                      └── nothing ──► who leads now? the same to that one, once
 *                                                       └── nobody else ──► DashboardUnreachableError
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { type Address, formatAddress, parseAddress } from "../base/address.ts";
import { beginning } from "../base/excerpt.ts";
import type { Secret } from "../base/secret.ts";
import { RecordError, type Shape } from "../model/record.ts";
import { ANSWER_SHAPES, type DoneAnswer } from "./answers.ts";
import { productFetch, refusedCertificate } from "./product_http.ts";
import {
  DashboardError,
  DashboardUnreachableError,
  readDashboardRefusal,
  UNAUTHORIZED,
} from "./dashboard_errors.ts";

/** Longest time that a read may take, in milliseconds. */
const READ_MS = 10_000;
/** Longest time that a change may take, in milliseconds: proxies have 30 s to confirm each step. */
const CHANGE_MS = 120_000;
/** Time between two tries while a dashboard may be starting, in milliseconds. */
const STARTING_POLL_MS = 200;
/** HTTP's word for a dashboard that stands by, or is about to lead. */
const UNAVAILABLE = 503;
/** Longest piece of an answer that a message quotes, in characters. */
const QUOTE_MAX = 80;

/** Where the dashboard is, and what it lets us do. */
export interface DashboardAccess {
  readonly address: Address;
  /** Token of changes; not set: none is sent. */
  readonly token: Secret;
  /** Longest time that a read may take, in milliseconds. @default 10000 */
  readonly readMs?: number;
  /** Longest time that a change may take, in milliseconds. @default 120000 */
  readonly changeMs?: number;
  /**
   * How long a dashboard may take that is just starting, in milliseconds: until it has answered once, it
   * is asked again while it refuses connections or stands by. @default 0
   */
  readonly startMs?: number;
  /** Who we are, for the audit trail. @default "proxy" */
  readonly sender?: "cli" | "proxy";
}

/** Finds out which dashboard leads now; `undefined` when that is not known. Rejects never. */
export type LeaderFinder = () => Promise<Address | undefined>;

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** What is asked of the dashboard. */
interface Question<T> {
  readonly method: Method;
  readonly path: string;
  readonly body?: unknown;
  readonly shape: Shape<T>;
  readonly timeoutMs: number;
  readonly isChange: boolean;
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

/**
 * Questions to one dashboard, or to the one that leads instead of it.
 *
 * Every method rejects with {@linkcode DashboardError} when the dashboard refuses, and with
 * {@linkcode DashboardUnreachableError} when no usable answer comes in time. An answer is what the
 * dashboard sent, checked for the fields of its shape.
 */
export class DashboardRequests {
  readonly #token: Secret;
  readonly #readMs: number;
  readonly #changeMs: number;
  readonly #startMs: number;
  readonly #sender: string;
  readonly #given: Address;
  /** Who is asked: the address that was given, or the leader it named. */
  #address: Address;
  /** Whether it has answered. */
  #isUp = false;
  #findLeader: LeaderFinder | undefined;

  /** Connects nothing yet. */
  constructor(access: DashboardAccess) {
    this.#given = access.address;
    this.#address = access.address;
    this.#token = access.token;
    this.#readMs = access.readMs ?? READ_MS;
    this.#changeMs = access.changeMs ?? CHANGE_MS;
    this.#startMs = access.startMs ?? 0;
    this.#sender = `codis-proxy ${access.sender ?? "proxy"}`;
  }

  /** Who is asked, `host:port`. */
  get address(): string {
    return formatAddress(this.#address);
  }

  /**
   * Has a dashboard that has answered before, and does not any more, replaced by the one that leads then. A change
   * goes there only if it has surely not come to the other one.
   */
  followLeader(find: LeaderFinder): void {
    this.#findLeader = find;
  }

  /** Whether a dashboard has answered yet. */
  get hasAnswered(): boolean {
    return this.#isUp;
  }

  /** Reads something. */
  read<T>(path: string, shape: Shape<T>): Promise<T> {
    const question = { method: "GET", path, shape, timeoutMs: this.#readMs } as const;
    return this.#ask({ ...question, isChange: false });
  }

  /** Changes something that is answered with "done". */
  change(method: Method, path: string, body?: unknown): Promise<DoneAnswer> {
    const shape = ANSWER_SHAPES.done;
    return this.#ask({ method, path, body, shape, timeoutMs: this.#changeMs, isChange: true });
  }

  /** Posts what takes as long as a change; `isChange` says whether it is one. */
  post<T>(path: string, body: unknown, shape: Shape<T>, isChange: boolean): Promise<T> {
    return this.#ask({ method: "POST", path, body, shape, timeoutMs: this.#changeMs, isChange });
  }

  async #ask<T>(question: Question<T>): Promise<T> {
    const reply = await this.#sendPatiently(question);
    this.#isUp = true;
    if (isUnknownToCodis2(reply)) {
      const what = `${question.method} ${question.path}`;
      throw new DashboardUnreachableError(
        "garbled",
        `${this.address} does not know ${what}: it is Codis 2.0's dashboard, or none; stop it, and ` +
          "start `codis-proxy dashboard`",
      );
    }
    if (reply.status !== 200) {
      throw new DashboardError(readDashboardRefusal(reply.status, reply.text));
    }
    return this.#readAnswer(question, reply.text);
  }

  /** Sends a request, until it has come to a dashboard, or none can be expected to start any more. */
  async #sendPatiently(question: Question<unknown>): Promise<Reply> {
    const endMs = performance.now() + this.#startMs;
    for (;;) {
      const mayBeStarting = !this.#isUp && performance.now() < endMs;
      try {
        const reply = await this.#sendToLeader(question);
        if (reply.status !== UNAVAILABLE || !mayBeStarting) return reply;
      } catch (error) {
        const failed = this.address;
        // The leader that was named may be gone for good: whoever asks again is told of the next one.
        this.#address = this.#given;
        const leader = await this.#leaderAfter(error, question, failed);
        if (leader !== undefined) return await this.#sendTo(leader, question);
        if (!mayBeStarting || !isRefused(error)) throw error;
      }
      this.#address = this.#given;
      await delay(STARTING_POLL_MS);
    }
  }

  async #sendToLeader(question: Question<unknown>): Promise<Reply> {
    const reply = await this.#send(question);
    const leader = this.#leaderIn(reply);
    if (leader === undefined) return reply;
    this.#address = leader;
    return await this.#send(question);
  }

  /** Who leads after a failure, when it is another one and the request may be sent again; otherwise `undefined`. */
  async #leaderAfter(
    error: unknown,
    { isChange }: Question<unknown>,
    failed: string,
  ): Promise<Address | undefined> {
    if (!this.#isUp || !(error instanceof DashboardUnreachableError)) return undefined;
    if (isChange && error.reason !== "unreachable") return undefined;
    const leader = await this.#findLeader?.();
    return leader === undefined || formatAddress(leader) === failed ? undefined : leader;
  }

  async #sendTo(leader: Address, question: Question<unknown>): Promise<Reply> {
    this.#address = leader;
    try {
      return await this.#send(question);
    } catch (error) {
      this.#address = this.#given;
      throw error;
    }
  }

  /** Where a dashboard that stands by sends us, unless it is where we have just been. */
  #leaderIn({ status, text }: Reply): Address | undefined {
    if (status !== UNAVAILABLE) return undefined;
    const { leader } = readDashboardRefusal(status, text);
    if (leader === undefined || leader === this.address) return undefined;
    try {
      return parseAddress(leader);
    } catch {
      return undefined;
    }
  }

  /** Sends a request; with the older tokens, too, if the dashboard does not know the new one yet. */
  async #send(question: Question<unknown>): Promise<Reply> {
    const [token, ...older] = this.#token.revealAll();
    let reply = await this.#sendWith(token!, question);
    for (const each of older) {
      if (reply.status !== UNAUTHORIZED) return reply;
      reply = await this.#sendWith(each, question);
    }
    return reply;
  }

  async #sendWith(
    token: string,
    { method, path, body, timeoutMs, isChange }: Question<unknown>,
  ): Promise<Reply> {
    const headers: Record<string, string> = { "user-agent": this.#sender };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (token !== "") headers["authorization"] = `Bearer ${token}`;
    try {
      const response = await productFetch(this.address, path, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        // A dashboard does not redirect what we ask; whatever does is none.
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      const who = `dashboard ${this.address}`;
      const doubt = isChange ? "; whether it was done is not known" : "";
      if (isBroken(error)) {
        const what = `${method} ${path}: ${reasonIn(error)}${doubt}`;
        throw new DashboardUnreachableError("silent", `${who} did not answer ${what}`);
      }
      if (error instanceof DOMException && error.name === "TimeoutError") {
        const what = `${method} ${path} within ${timeoutMs / 1000} s`;
        throw new DashboardUnreachableError("silent", `${who} did not answer ${what}${doubt}`);
      }
      const message = `${who} cannot be reached: ${reasonIn(error)}`;
      throw new DashboardUnreachableError("unreachable", message, { cause: error });
    }
  }

  #readAnswer<T>({ method, path, shape }: Question<T>, text: string): T {
    try {
      const answer: unknown = JSON.parse(text);
      shape.read(answer, "answer");
      return answer as T;
    } catch (error) {
      const quote = beginning(text, QUOTE_MAX);
      const reason = error instanceof RecordError ? error.message : `not JSON: ${quote.trim()}`;
      throw new DashboardUnreachableError(
        "garbled",
        `${this.address} does not answer ${method} ${path} as a dashboard does: ${reason}`,
      );
    }
  }
}

/** What is given of a filter, as the query of an address. */
export function queryOf(
  filter: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const given = Object.entries(filter).filter(([, value]) => (value ?? false) !== false);
  return `${new URLSearchParams(given.map(([name, value]) => [name, `${value}`]))}`;
}

/** An address as one piece of a path; the colon stays, as every dashboard expects it. */
export function segmentOf(addr: string): string {
  return encodeURIComponent(addr).replaceAll("%3A", ":");
}

/** Whether it is the answer of Codis 2.0's dashboard to what came after it. */
function isUnknownToCodis2({ status, text }: Reply): boolean {
  return status === 404 && text.trim() === "404 page not found";
}

/** Whether the connection was refused: then the dashboard got nothing of the request. */
function isRefused(error: unknown): boolean {
  return error instanceof DashboardUnreachableError && error.reason === "unreachable" &&
    error.message.endsWith("connection refused");
}

/** Whether a connection broke over which the request may have been sent: the dashboard may have got it. */
function isBroken(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error &&
    /client error \(SendRequest\)|error reading a body/.test(cause.message);
}

/** The system's own reason, without the text that fetch puts around it. */
function reasonIn(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const fault = refusedCertificate(message);
  if (fault !== undefined) return fault;
  return message.replace(/ \(os error \d+\)/g, "").split(": ").at(-1)!.toLowerCase();
}
