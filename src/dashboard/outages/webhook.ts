/**
 * Sends outage events to `webhook_url`: one at a time, in order, each until it was taken or is too old.
 *
 *     event ─► queue (bounded) ─► POST, signed ─► 2xx: taken
 *                                     ├─► it will never be taken (400 …): told in the log, given up
 *                                     └─► else: again, after a wait that grows; after KEEP_MS given up
 *
 * A receiver may get an event twice, when its answer was lost or another dashboard takes over: the event's
 * id is the same then.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { type Secret, signatureOf } from "../../base/secret.ts";
import { sleep } from "../../base/sleep.ts";
import { outageLine } from "../../control/outages.ts";
import type { OutageEvent } from "../../model/outage_event.ts";

/** Events that wait; past it, the oldest are lost. */
const QUEUE_MAX = 500;
/** Longest time that the receiver may take, in milliseconds. */
const ANSWER_MS = 5_000;
/** How old an event may be when it is sent, in milliseconds. */
const KEEP_MS = 3_600_000;
/** How long the end of the dashboard waits for events that have not been sent, in milliseconds. */
const FLUSH_MS = 2_000;
/** Waits between two tries, in milliseconds. */
const RETRY = { firstMs: 1_000, maxMs: 60_000 };
/** Answers after which the same request makes no sense. */
const NEVER = [400, 405, 413, 415, 422];

const log = logger("webhook");

/** Where events go. */
export interface WebhookTarget {
  readonly url: Secret;
  /** Signs the events, if it is set. */
  readonly secret: Secret;
  /** Text of a PEM file with the authority of the receiver's certificate; `""`: those of the runtime. */
  readonly ca: string;
  readonly product: string;
  /** The address of this dashboard. */
  readonly dashboard: string;
  readonly version: string;
  /** @default the constant RETRY */
  readonly retry?: { readonly firstMs: number; readonly maxMs: number };
}

/** What has become of events, since this process started. */
export interface WebhookFigures {
  readonly sent: number;
  /** Tries that failed. */
  readonly failed: number;
  /** Events that were given up. */
  readonly lost: number;
  readonly waiting: number;
}

/** See the header. */
export class Webhook {
  readonly #target: WebhookTarget;
  readonly #onDone: (id: string) => void;
  readonly #http: Deno.HttpClient | undefined;
  readonly #backoff: Backoff;
  readonly #ending = new AbortController();
  #queue: OutageEvent[] = [];
  #sending: Promise<void> | undefined;
  #figures = { sent: 0, failed: 0, lost: 0 };

  /** @param onDone Called when an event was taken or given up. */
  constructor(target: WebhookTarget, onDone: (id: string) => void) {
    this.#target = target;
    this.#onDone = onDone;
    this.#backoff = new Backoff(target.retry ?? RETRY);
    this.#http = target.ca === "" ? undefined : Deno.createHttpClient({ caCerts: [target.ca] });
  }

  /** See {@linkcode WebhookFigures}. */
  get figures(): WebhookFigures {
    return { ...this.#figures, waiting: this.#queue.length };
  }

  /** Sends an event, soon; one that waits already is not sent twice. */
  send(event: OutageEvent): void {
    if (this.#ending.signal.aborted || this.#queue.some(({ id }) => id === event.id)) return;
    this.#queue.push(event);
    // The first may be on its way.
    if (this.#queue.length > QUEUE_MAX) this.#giveUp(this.#queue.splice(1, 1)[0]!, "too many wait");
    this.#sending ??= this.#sendAll().finally(() => this.#sending = undefined);
  }

  /** Resolves when everything is sent, or the time for that is over; sends nothing more. */
  async stop(): Promise<void> {
    if (this.#sending !== undefined) {
      const late = new AbortController();
      await Promise.race([this.#sending, sleep(FLUSH_MS, late.signal)]);
      late.abort();
    }
    this.#ending.abort();
    await this.#sending;
    this.#http?.close();
  }

  async #sendAll(): Promise<void> {
    const { signal } = this.#ending;
    for (let event = this.#queue[0]; event !== undefined && !signal.aborted;) {
      const { problem, isFinal, waitMs } = await this.#post(event);
      if (signal.aborted) return;
      const isOld = Date.now() - event.at > KEEP_MS;
      if (problem !== "") this.#failed(problem);
      if (problem === "" || isFinal || isOld) {
        this.#queue.shift();
        if (problem === "") this.#succeeded(event);
        else this.#giveUp(event, problem);
        event = this.#queue[0];
      } else {
        await sleep(Math.max(this.#backoff.nextMs(), waitMs), signal);
      }
    }
  }

  async #post(
    event: OutageEvent,
  ): Promise<{ problem: string; isFinal: boolean; waitMs: number }> {
    const { url, secret, version } = this.#target;
    try {
      const body = this.#body(event);
      const late = AbortSignal.timeout(ANSWER_MS);
      const response = await fetch(url.reveal(), {
        ...{ method: "POST", body, redirect: "manual" },
        ...this.#http === undefined ? {} : { client: this.#http },
        headers: {
          "content-type": "application/json",
          "user-agent": `codis-proxy/${version}`,
          "x-codis-event": event.id,
          ...secret.isSet
            ? { "x-codis-signature": `sha256=${await signatureOf(secret.reveal(), body)}` }
            : {},
        },
        signal: AbortSignal.any([late, this.#ending.signal]),
      });
      await response.body?.cancel();
      const { status, ok, headers } = response;
      const seconds = Number(headers.get("retry-after") ?? 0);
      return {
        problem: ok
          ? ""
          : status >= 300 && status < 400
          ? `it redirects (${status})`
          : `HTTP ${status}`,
        isFinal: NEVER.includes(status),
        waitMs: Number.isFinite(seconds) ? Math.min(seconds * 1_000, RETRY.maxMs) : 0,
      };
    } catch (error) {
      return { problem: this.#causeOf(error as Error), isFinal: false, waitMs: 0 };
    }
  }

  #body(event: OutageEvent): string {
    const { product, dashboard } = this.#target;
    const { seq: _, is_sent: __, ...told } = event;
    const sign = { info: "resolved", warning: "warning", error: "error" }[event.severity];
    return JSON.stringify({
      text: `[${product}] ${sign}: ${outageLine(event)}`,
      ...{ product, dashboard, event: told },
    });
  }

  #succeeded(event: OutageEvent): void {
    if (this.#backoff.attempt > 0) log.info("webhook_url takes events again");
    this.#backoff.reset();
    this.#figures.sent++;
    this.#onDone(event.id);
  }

  #failed(problem: string): void {
    this.#figures.failed++;
    if (this.#backoff.attempt > 0) return;
    log.warn(
      "webhook_url does not take an event: {problem}; it is tried again for {minutes} min: " +
        "look at the receiver, and compare webhook_url, webhook_secret and webhook_ca with what it wants",
      { problem, minutes: KEEP_MS / 60_000 },
    );
  }

  #giveUp(event: OutageEvent, problem: string): void {
    this.#figures.lost++;
    log.error("webhook_url will not get event {id}: {problem}", { id: event.id, problem });
    this.#onDone(event.id);
  }

  /** Why there was no answer, without the URL: in it there may be a secret. */
  #causeOf(error: Error): string {
    if (error.name === "TimeoutError") return `no answer within ${ANSWER_MS / 1000} s`;
    const { message } = error.cause instanceof Error ? error.cause : error;
    const url = this.#target.url.reveal();
    // "error sending request for url (http://…): client error (Connect): tcp connect error: …": to the
    // last ")", as there may be some in the URL, which need not be there as it was configured.
    return message.replaceAll(url, "the URL")
      .replace(/^error sending request for url \(.*\): (?:client error \(\w+\): )?/s, "")
      .replaceAll(URL.parse(url)?.href ?? url, "the URL");
  }
}
