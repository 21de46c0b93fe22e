/**
 * A command that is executed at the source of a migrating slot, by Codis 3.2's SLOTSMGRT-EXEC-WRAPPER.
 *
 *      the source says      the key is                                   so
 *      2, and the reply     there, and the command was executed          the client gets the reply
 *      0                    not there any more, or never was             the command goes to the target
 *      1                    on its way in chunks, and the command is     it is asked again in a moment
 *                           none that only reads
 *      -1                   known by a command that the source is not    the key is moved first
 *      -OOM                 there: the source is full, and refuses       the key is moved first
 *                           the wrapper whatever is in it
 *
 * @module
 */

import { encodeRequest } from "../../resp/encoder.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import {
  acquireRequest,
  deliver,
  failRequest,
  type FlightCounter,
  recycleRequest,
  type Request,
  type RequestOwner,
  type RouteBackend,
} from "../request.ts";
import { beginOn, countInFlight } from "./route.ts";

/** What became of it: `taken` when the client gets a reply, be it an error; see the table above. */
export type SourceOutcome = "taken" | "moved" | "busy" | "unknown";

const CODES: Readonly<Record<string, SourceOutcome>> = {
  "2": "taken",
  "0": "moved",
  "1": "busy",
  "-1": "unknown",
};
/** `*2`, and a line with the code. */
const HEADER = /^\*2\r\n:(-?\d+)\r\n/;
/** How a server that is over its maxmemory begins its answer. */
const FULL = "-OOM ";
/** Bytes within which a header ends. */
const HEADER_BYTES_MAX = 16;

/** One call; see the header. */
export class SourceCall implements RequestOwner {
  readonly isGone = false;
  readonly #slot: FlightCounter;
  readonly #request: Request;
  readonly #done: (outcome: SourceOutcome) => void;
  /** The beginning of the reply, until the code is known. */
  #header = "";
  #outcome: SourceOutcome | undefined;

  /**
   * @param request The client's; while the outcome is none but `taken` it is still the caller's.
   * @param done Called once, when the outcome is known.
   */
  constructor(slot: FlightCounter, request: Request, done: (outcome: SourceOutcome) => void) {
    this.#slot = slot;
    this.#request = request;
    this.#done = done;
  }

  /**
   * Sends it.
   *
   * @param key The command's only key, as latin1.
   * @param bytes The command, an array of bulks. Copied.
   */
  send(backend: RouteBackend, key: string, bytes: Uint8Array): void {
    const part = acquireRequest(this);
    part.client = this.#request.client;
    part.slot = this.#slot;
    part.startedMs = this.#request.startedMs;
    const lineEnd = bytes.indexOf(10) + 1;
    const count = Number(latin1(bytes, 1, lineEnd - 2));
    const prefix = encodeRequest([
      "SLOTSMGRT-EXEC-WRAPPER",
      latin1Bytes(key),
    ]);
    const head = new TextEncoder().encode(`*${count + 2}\r\n`);
    if (!beginOn(backend, part)) return;
    backend.append(head, 0, head.length);
    backend.append(prefix, prefix.indexOf(10) + 1, prefix.length);
    backend.append(bytes, lineEnd, bytes.length);
  }

  replied(part: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    let from = start;
    if (this.#outcome === undefined) {
      from = this.#readHeader(part, bytes, start, end, isLast);
      if (this.#outcome === undefined) return;
    }
    if (this.#outcome === "taken" && (from < end || isLast)) {
      if (this.#request.replyType === 0) this.#request.replyType = bytes[from] ?? 0;
      deliver(this.#request, bytes, from, end, isLast);
    }
    if (isLast) this.#end(part);
  }

  /** @returns Where the command's own reply begins. */
  #readHeader(
    part: Request,
    bytes: Uint8Array,
    start: number,
    end: number,
    isLast: boolean,
  ): number {
    const before = this.#header.length;
    this.#header += latin1(bytes, start, Math.min(end, start + HEADER_BYTES_MAX));
    const match = HEADER.exec(this.#header);
    const outcome = match === null ? undefined : CODES[match[1]!];
    if (match !== null && outcome !== undefined) {
      this.#decide(part, outcome);
      return start + match[0].length - before;
    }
    // Reads and deletions need no memory, and the target may have memory for the others.
    if (this.#header.startsWith(FULL)) {
      this.#decide(part, "unknown");
      return end;
    }
    if (FULL.startsWith(this.#header) && !isLast) return end;
    // Another error of the wrapper's own: the client's, too.
    const isError = !"*2\r\n:".startsWith(this.#header.slice(0, 5));
    if (isError || isLast) {
      this.#decide(part, "taken");
      // What has come of it before was kept back.
      const first = new TextEncoder().encode(this.#header.slice(0, before));
      if (first.length > 0) {
        this.#request.replyType = first[0]!;
        deliver(this.#request, first, 0, first.length, false);
      }
      return start;
    }
    return end;
  }

  #decide(part: Request, outcome: SourceOutcome): void {
    this.#outcome = outcome;
    const request = this.#request;
    if (outcome === "taken") {
      request.state = "sent";
      request.slot = this.#slot;
      request.backend = part.backend;
      request.replyType = 0;
      countInFlight(request);
    }
    this.#done(outcome);
  }

  failed(part: Request, text: string): void {
    const isKnown = this.#outcome !== undefined;
    if (!isKnown) this.#decide(part, "taken");
    if (this.#outcome === "taken") failRequest(this.#request, text);
    this.#end(part);
  }

  #end(part: Request): void {
    part.state = "settled";
    part.slot = null;
    recycleRequest(part);
    this.#slot.leave();
  }
}
