/**
 * Requests that are done and of which something is to be told, as they were when their replies were written.
 *
 *     written ─► noted ─► 32 of them, or somebody asks ─► described ─┬─► slow log
 *                                                                    └─► span, line of the access log
 *
 * To describe one alone, between requests, takes several times as long as in a row: nothing of what does it is
 * in the processor's cache.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { copyBytes } from "../../io/copy_bytes.ts";
import type { Carrier } from "../backends/carrier.ts";
import { BEGINNING_BYTES, type Request } from "../request.ts";
import { type Detour, RequestMarks } from "../request_marks.ts";
import type { RequestEnd, WatchedClient } from "./watched_client.ts";

/** Requests that are described at a time. */
const NOTED_MAX = 32;

/** See the header. */
export class NotedRequest extends RequestMarks {
  /** When its reply was written. */
  writtenMs = 0;
  /** How long the fastest reply of its server took lately. */
  networkMs = 0;
  detour: Detour | null = null;
  server = "";
  slotId = -1;
  isFailed = false;
  /** How many keys it names, where they were looked at when it was sampled; else 0. */
  sampledKeys = 0;
  /** Of the client: address, name, user. */
  client = "";
  clientName = "";
  user = "";
  end: RequestEnd = "answered";
  /** Its number in the slow log, and when it was written, in Unix milliseconds; -1: it is not there. */
  slowId = -1;
  slowAtMs = 0;
  /** For how many requests it stands in reports; 0: it is reported because it was slow; -1: it is not. */
  reportWeight = -1;
  /** What it was sent in will be used again: this is a copy. */
  readonly #sentIn = { sinceMs: 0, wroteMs: 0 };
  readonly #beginning = new Uint8Array(BEGINNING_BYTES);
  #beginningBytes = 0;

  /** Takes what is known of a request whose reply was written just now. Copies what may change. */
  take(request: Request, { remote, info, user }: WatchedClient, end: RequestEnd): void {
    const { sample, sentIn } = request;
    const carrier: Carrier | null = request.backend ?? request.lastBackend;
    this.takeMarks(request);
    this.sentIn = sentIn === null ? null : this.#sentIn;
    this.#sentIn.sinceMs = sentIn?.sinceMs ?? 0;
    this.#sentIn.wroteMs = sentIn?.wroteMs ?? 0;
    this.writtenMs = clock.nowMs;
    this.networkMs = carrier?.server.fastestReply.ms ?? 0;
    this.detour = request.detour;
    this.server = carrier?.server.address ?? "";
    this.slotId = request.slotId;
    this.isFailed = request.isFailed;
    this.sampledKeys = sample === null ? 0 : Math.round(sample.keys.length * sample.keyWeight);
    this.client = remote;
    this.clientName = info.name;
    this.user = user.name;
    this.end = end;
    this.slowId = this.reportWeight = -1;
    const beginning = request.beginningBytes;
    this.#beginningBytes = beginning.length;
    copyBytes(this.#beginning, 0, beginning, 0, beginning.length);
  }

  /** Its first bytes, as far as they are remembered. Borrowed until it takes another one. */
  get beginningBytes(): Uint8Array {
    return this.#beginning.subarray(0, this.#beginningBytes);
  }
}

/** See the header. */
export class NotedRequests {
  /** One for each that may be noted, used again and again. */
  readonly #notes: NotedRequest[] = [];
  #count = 0;
  readonly #tell: (note: NotedRequest) => void;

  /** @param tell Describes one, for whom it concerns. Borrows it. */
  constructor(tell: (note: NotedRequest) => void) {
    this.#tell = tell;
  }

  /** Notes a request; who does so says what for. */
  note(request: Request, client: WatchedClient, end: RequestEnd): NotedRequest {
    if (this.#count === NOTED_MAX) this.tellAll();
    const note = this.#notes[this.#count++] ??= new NotedRequest();
    note.take(request, client, end);
    return note;
  }

  /** All that are noted are described now. */
  tellAll(): void {
    const count = this.#count;
    this.#count = 0;
    for (let i = 0; i < count; i++) this.#tell(this.#notes[i]!);
  }
}
