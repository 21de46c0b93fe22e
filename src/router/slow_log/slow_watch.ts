/**
 * Finds the slow ones among a client's requests, once their replies are with the system.
 *
 *     answered ─► slow already, or nothing is watched? ─► watched until written ─► slow? ─► slow log
 *                               └─ no ─► given back
 *
 * Sampled requests are watched, too, for those who observe some. So of many fast requests one at a time is watched: if the client reads slowly, that one tells.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import type { Command } from "../../command/command.ts";
import { recycleRequest, type Request } from "../request.ts";
import type { Sampling } from "../sampling/sampling.ts";
import { shownArguments } from "./shown_arguments.ts";
import type { SlowLog } from "./slow_log.ts";
import { stageTimes } from "./stages.ts";
import type { RequestEnd, WatchedClient } from "./watched_client.ts";

/**
 * Requests of one client in flight whose arguments are kept: of long pipelines, where each request costs
 * little, the first ones stand for all.
 */
const REMEMBERED_MAX = 4;

/** The answered requests of one client that are not written yet; see the drawing above. */
export class SlowWatch {
  readonly #client: WatchedClient;
  readonly #log: SlowLog;
  readonly #sampling: Sampling;
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
    const { bytes, requestStart, requestEnd } = this.#client.parser;
    request.requestBytes = requestEnd - requestStart;
    request.beginningLength = 0;
    if (--this.#sampling.left === 0) this.#sampling.take(request, this.#client);
    if (!this.#log.isOn) return;
    if (depth >= REMEMBERED_MAX) return;
    request.remember(bytes, requestStart, requestEnd);
    this.#log.loop.watch();
  }

  /**
   * Takes an answered request that has left its FIFO.
   *
   * @param end How many bytes will have been written to the client with the end of its reply.
   */
  answered(request: Request, end: number): void {
    const isWatched = request.command !== null &&
      (this.#head === null
        ? this.#log.isOn
        : this.#log.mayBeDue(clock.nowMs - request.readMs, clock.nowMs));
    if (!isWatched && request.sample === null) return recycleRequest(request);
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
    if (request === null) this.#tail = null;
  }

  #ended(request: Request, hasLeft: boolean): void {
    const end = hasLeft ? "left" : request.isFailed ? "failed" : "answered";
    if (request.sample !== null) this.#sampling.ended(request, this.#client, end);
    if (this.#log.isDue(clock.nowMs - request.readMs, clock.nowMs)) this.#add(request, end);
    recycleRequest(request);
  }

  #add(request: Request, end: RequestEnd): void {
    const { remote, info, user } = this.#client;
    const { command, slotId, replyBytes } = request;
    const carrier = request.backend ?? request.lastBackend;
    const writtenMs = clock.nowMs;
    const network = carrier?.server.fastestReply.ms ?? 0;
    this.#log.add({
      usecs: Math.round((writtenMs - request.readMs) * 1000),
      stages: stageTimes(request, writtenMs, network, this.#log.loop),
      command: command!.name,
      args: shownArguments(command!.name, request.beginningBytes),
      client: remote,
      clientName: info.name,
      user: user.name,
      server: carrier?.server.address ?? "",
      slot: slotId,
      requestBytes: request.requestBytes,
      replyBytes,
      end,
    });
  }

  /** A request was answered by the proxy at once, and every request is logged. */
  answeredAtOnce(command: Command, replyBytes: number): void {
    const { remote, info, user, parser: args } = this.#client;
    const words: Uint8Array[] = [];
    for (let i = 0; i < args.count; i++) words.push(args.bytes.slice(args.start(i), args.end(i)));
    const bytes = encodeRequest(words);
    this.#log.add({
      usecs: 0,
      stages: {},
      command: command.name,
      args: shownArguments(command.name, bytes),
      client: remote,
      clientName: info.name,
      user: user.name,
      server: "",
      slot: -1,
      requestBytes: bytes.length,
      replyBytes,
      end: "answered",
    });
  }

  /** The client is gone. */
  close(): void {
    for (let request = this.#head; request !== null;) {
      const next: Request | null = request.next;
      this.#ended(request, true);
      request = next;
    }
    this.#head = this.#tail = null;
  }
}
