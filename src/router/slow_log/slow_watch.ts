/**
 * Finds the slow ones among a client's requests, once their replies are with the system.
 *
 *     answered ─► slow already, or nothing is watched? ─► watched until written ─► slow? ─► slow log
 *                               └─ no ─► given back
 *
 * So of many fast requests one at a time is watched: if the client reads slowly, that one tells. Later ones were
 * read later, and cannot be slow before it is: until then nobody looks at them. Sampled
 * requests are watched, too, for those who observe some; and all of them while a client of MONITOR SLOW does.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { recycleRequest, type Request } from "../request.ts";
import type { Sampling } from "../sampling/sampling.ts";
import { describeAtOnce, describeNoted, type ShownRequest, showRequest } from "./done_request.ts";
import { NotedRequest } from "./noted_request.ts";
import { BeginningArguments } from "./shown_arguments.ts";
import type { SlowLog, SlowMonitors } from "./slow_log.ts";
import type { RequestEnd, WatchedClient } from "./watched_client.ts";

/** The answered requests of one client that are not written yet; see the drawing above. */
export class SlowWatch {
  readonly #client: WatchedClient;
  readonly #log: SlowLog;
  readonly #sampling: Sampling;
  /** Until then, in clock milliseconds, an answered request that is not sampled is given back unseen: none is slow. */
  #quietUntilMs = -Infinity;
  #head: Request | null = null;
  #tail: Request | null = null;

  constructor(client: WatchedClient, log: SlowLog, sampling: Sampling) {
    this.#client = client;
    this.#log = log;
    this.#sampling = sampling;
  }

  /**
   * A request is dispatched.
   *
   * @param depth How many requests of the client are in flight.
   */
  began(request: Request, depth: number): void {
    const { requestStart, requestEnd } = this.#client.parser;
    request.requestBytes = requestEnd - requestStart;
    if (depth < this.#log.rememberedMax) this.#remember(request);
    if (--this.#sampling.left === 0) this.#sampling.take(request, this.#client);
  }

  #remember(request: Request): void {
    const { bytes, requestStart, requestEnd } = this.#client.parser;
    request.remember(bytes, requestStart, requestEnd);
    this.#log.loop.watch();
  }

  /**
   * Takes an answered request that has left its FIFO.
   *
   * @param end How many bytes will have been written to the client with the end of its reply.
   */
  answered(request: Request, end: number): void {
    if (request.sample !== null) this.#sampling.answered(request);
    const isQuiet = clock.nowMs < this.#quietUntilMs && request.sample === null;
    if (isQuiet || !this.#mustWatch(request)) recycleRequest(request);
    else this.#watch(request, end);
  }

  #mustWatch(request: Request): boolean {
    if (request.sample !== null) return true;
    if (request.command === null) return false;
    if (this.#head === null) return this.#log.isOn;
    if (this.#log.mayBeDue(clock.nowMs - request.readMs, clock.nowMs)) return true;
    this.#quietUntilMs = this.#log.spentUntilMs;
    return false;
  }

  #watch(request: Request, end: number): void {
    // Of what has blocked the time begins later than that of what was read with it.
    if (this.#log.monitors === null && request.command?.isBlocking === false) {
      this.#quietUntilMs = request.readMs + this.#log.slowerThanMs;
    }
    request.turnMs = clock.nowMs;
    request.endByte = end;
    request.next = null;
    if (this.#tail === null) this.#head = request;
    else this.#tail.next = request;
    this.#tail = request;
  }

  /** So many bytes were written to the client since it came. */
  wrote(bytes: number): void {
    let request = this.#head;
    while (request !== null && request.endByte <= bytes) {
      const next: Request | null = request.next;
      this.#ended(request, false);
      request = next;
    }
    this.#head = request;
    if (request !== null) return;
    this.#tail = null;
    this.#quietUntilMs = -Infinity;
  }

  #ended(request: Request, hasLeft: boolean): void {
    if (request.sample !== null || clock.nowMs - request.readMs >= this.#log.leastMs) {
      this.#tell(request, hasLeft ? "left" : request.isFailed ? "failed" : "answered");
    }
    recycleRequest(request);
  }

  #tell(request: Request, end: RequestEnd): void {
    if (request.sample !== null) this.#sampling.ended(request, this.#client, end);
    const tookMs = clock.nowMs - request.readMs;
    const { monitors } = this.#log;
    if (this.#log.isDue(tookMs, clock.nowMs)) this.#log.saw(request, this.#client, end);
    if (monitors !== null && tookMs >= monitors.slowMs) this.#monitored(monitors, request, end);
  }

  #monitored(monitors: SlowMonitors, request: Request, end: RequestEnd): void {
    const note = new NotedRequest();
    note.take(request, this.#client, end);
    const bytes = request.beginningBytes;
    const shown = showRequest(describeNoted(note, this.#log.loop), bytes);
    this.#show(monitors, shown, request.command!, bytes);
  }

  #show(monitors: SlowMonitors, shown: ShownRequest, command: Command, bytes: Uint8Array): void {
    monitors.sawSlow(shown, command, new BeginningArguments(bytes));
  }

  /** A request was answered by the proxy at once. Borrows `reply`. */
  answeredAtOnce(command: Command, reply: Uint8Array): void {
    if (--this.#sampling.left === 0) this.#sampling.takeAtOnce(command, this.#client, reply);
    if (!this.#log.takesAll) return;
    const { slowerThanMs, monitors } = this.#log;
    const { done, bytes } = describeAtOnce(command, this.#client, reply.length);
    const shown = showRequest(done, bytes);
    if (slowerThanMs === 0) this.#log.add(shown);
    if (monitors?.slowMs === 0) this.#show(monitors, shown, command, bytes);
  }

  /**
   * The client is gone.
   *
   * @param inFlight The first of its requests that have not left their FIFO.
   */
  close(inFlight: Request | null): void {
    for (let request = this.#head; request !== null;) {
      const next: Request | null = request.next;
      this.#ended(request, true);
      request = next;
    }
    this.#head = this.#tail = null;
    for (let request = inFlight; request !== null; request = request.next) this.#left(request);
  }

  /** Its client has given up before it was answered: that may be the slowest of all. */
  #left(request: Request): void {
    const { command, slot, state } = request;
    if (command === null || command.isBlocking) return; // who waits on purpose waits as long as it likes
    request.turnMs = clock.nowMs;
    if (state !== "settled") {
      request.wholeMs = clock.nowMs;
      request.slotId = slot?.id ?? -1;
    }
    this.#tell(request, "left");
  }
}
