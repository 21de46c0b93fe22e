/**
 * One subscriber's connection to one server.
 *
 *      opening ── subscribed to all that its client is ─► up ── leaving: flushed ─► closed
 *         └──────────────── lost ────────────────────────┴────────────────────────────▲
 *
 * What it sends is answered in order, with messages between the answers: each request knows how many
 * acknowledgements make its answer. It speaks RESP2, which every server knows: messages are the same bytes
 * in both protocols, but for the first one.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { encodeRequest, PING } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { namesProbeKey } from "../../resp/probe_key.ts";
import { Link, type LinkHolder, type LinkUser } from "../backends/link.ts";
import type { Server } from "../backends/server.ts";
import { type PushedFrame, readPushedFrame } from "./pushed_frame.ts";

/** How a request over such a connection ends. */
export type LinkOutcome = { readonly is: "done" } | {
  readonly is: "refused" | "lost";
  /** The server's error, or why the connection was lost. */
  readonly text: string;
};

/** Whom a connection belongs to. */
export interface SubscriberLinkUser {
  /** A message came. Takes `bytes`. */
  message(link: SubscriberLink, frame: PushedFrame, bytes: Uint8Array): void;
  /** The connection is lost; its requests have been told. */
  linkLost(link: SubscriberLink, cause: string): void;
}

interface SentRequest {
  readonly sentMs: number;
  /** Acknowledgements that are still to come. */
  left: number;
  readonly ended: (outcome: LinkOutcome) => void;
}

const DONE: LinkOutcome = { is: "done" };

/** See the header. */
export class SubscriberLink implements LinkUser {
  readonly server: Server;
  /** Whether it is subscribed to all that its client is. */
  isUp = false;
  /** Whether it is closed when all that was on its way has come. */
  isLeaving = false;
  /** The version of the slots when it was last asked for all that was on its way, and this came. */
  flushedAt = 0;

  readonly #user: SubscriberLinkUser;
  readonly #sent: SentRequest[] = [];
  #link: Link | null = null;

  private constructor(server: Server, user: SubscriberLinkUser) {
    this.server = server;
    this.#user = user;
  }

  /** Opens one; null when the server has lent too many connections: `holder` is resumed then. */
  static open(
    server: Server,
    holder: LinkHolder,
    user: SubscriberLinkUser,
  ): SubscriberLink | null {
    const subscriber = new SubscriberLink(server, user);
    const link = Link.open(server, 0, 2, holder, subscriber);
    if (link === null) return null;
    subscriber.#link = link;
    link.listen();
    return subscriber;
  }

  /**
   * Subscribes or unsubscribes.
   *
   * @param word Redis's command for it, which acknowledges each name.
   */
  request(word: string, names: readonly Uint8Array[], ended: (outcome: LinkOutcome) => void): void {
    if (names.length === 0) return ended(DONE);
    this.#send(encodeRequest([word, ...names]), names.length, ended);
  }

  /** Calls `ended` when all that the server sent before has come. */
  flush(version: number, ended: (outcome: LinkOutcome) => void): void {
    this.#send(PING, 1, (outcome) => {
      if (outcome.is === "done") this.flushedAt = Math.max(this.flushedAt, version);
      ended(outcome);
    });
  }

  #send(bytes: Uint8Array, left: number, ended: (outcome: LinkOutcome) => void): void {
    if (this.#link === null) return ended({ is: "lost", text: "the connection is closed" });
    this.#sent.push({ sentMs: clock.nowMs, left, ended });
    this.#link.write(bytes);
  }

  pushed(_link: Link, bytes: Uint8Array): void {
    const frame = readPushedFrame(bytes);
    if (frame.word.endsWith("message")) {
      if (!isOfProbeKey(frame, bytes)) this.#user.message(this, frame, bytes);
      return;
    }
    const request = this.#sent[0];
    if (request === undefined) return this.#fail("the server sent a reply nobody asked for");
    if (frame.word === "error") {
      this.#sent.shift();
      return request.ended({ is: "refused", text: frame.name });
    }
    if (--request.left > 0) return;
    this.#sent.shift();
    request.ended(DONE);
  }

  lost(_link: Link, cause: string): void {
    this.#end(cause);
  }

  clientClosed(): void {} // its subscriptions end, and this with them

  keepAlive(): void {
    if (this.#sent.length === 0) this.flush(0, () => {});
  }

  /** Gives a server up that has not answered for too long; called about once a second. */
  tick(limitMs: number): void {
    const [oldest] = this.#sent;
    if (oldest === undefined || limitMs === 0 || clock.nowMs - oldest.sentMs <= limitMs) return;
    this.#fail(`no answer for ${limitMs} ms`);
  }

  #fail(cause: string): void {
    this.#link?.breakOff();
    this.#end(cause);
  }

  #end(cause: string): void {
    if (this.#link === null) return;
    this.#link = null;
    this.#user.linkLost(this, cause);
    this.#failSent(cause);
  }

  #failSent(cause: string): void {
    for (const { ended } of this.#sent.splice(0)) ended({ is: "lost", text: cause });
  }

  /** Closes the connection: its requests fail with `cause`, its user is not told. */
  close(cause = "closed"): void {
    this.#link?.breakOff();
    this.#link = null;
    this.#failSent(cause);
  }
}

/** Whether a message is an event of the key that a migration tries the way with. */
function isOfProbeKey({ channelStart }: PushedFrame, bytes: Uint8Array): boolean {
  return latin1(bytes, channelStart, channelStart + 5) === "__key" && namesProbeKey(bytes);
}
