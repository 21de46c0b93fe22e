/**
 * What few clients have asked for, by CLIENT REPLY, CLIENT TRACKING or MONITOR. A client that has asked for
 * none of it has no extras, and costs nothing.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import type { Ways } from "../request.ts";
import type { TrackingOptions } from "./tracking_options.ts";

/** Which commands a client wants no replies to: none, all, or the next one. */
export type ReplyMode = "on" | "off" | "skip";

/** CLIENT TRACKING of one client; tracking.ts is what it is. */
export interface TrackingState {
  readonly options: TrackingOptions;
  /** Whether the client that invalidations go to was gone when there was one. */
  readonly isBroken: boolean;
  /** Whether CLIENT CACHING was given for the next command. */
  readonly isCaching: boolean;
  /** Takes options over; the text is empty, or why the servers do not. Called once, never at once. */
  configure(options: TrackingOptions, done: (error: string) => void): void;
  /** HELLO: servers push in RESP3 only. `done` is called once, when all speak the protocol. */
  speak(protocol: Protocol, done: () => void): void;
  /** CLIENT CACHING: meant for the next command. */
  cacheNext(): void;
  /** The last command reads these keys over a link that does not track. */
  readUntracked(keys: readonly string[]): void;
  /** A command was dispatched. */
  dispatched(): void;
  /** Calls `done` once, when the client, or who hears for it, has what the servers have told until now. */
  hearAll(done: () => void): void;
  /** CLIENT TRACKING OFF, or the end of the client: nothing is in flight, or nobody waits for it. */
  end(): void;
}

/** A client that can have extras. */
export interface ExtrasHost {
  extras: Extras | null;
  isMuted: boolean;
  ways: Ways | null;
  /** Its reads from replicas, which tracking puts aside. */
  readonly reads: (Ways & { missed(): void }) | null;
  readonly credit: { isRefused: boolean };
}

/** The extras of one client. */
export class Extras {
  tracking: TrackingState | null = null;
  readonly #host: ExtrasHost;
  /** Ends what the client watches; null while it does not. */
  #endMonitor: (() => void) | null = null;
  #replyMode: ReplyMode = "on";
  /** Whether CLIENT REPLY SKIP is meant for the command that is being dispatched. */
  #isSkipping = false;

  private constructor(host: ExtrasHost) {
    this.#host = host;
    host.extras = this;
  }

  /** The extras of a client, made when it has none. */
  static of(host: ExtrasHost): Extras {
    return host.extras ?? new Extras(host);
  }

  /** Whether a large request may be handed on in pieces, over a connection that is not the usual one. */
  get mayPassThrough(): boolean {
    return this.#replyMode !== "skip" && this.tracking === null;
  }

  /** CLIENT REPLY: from now on, or with `skip` for the next command. */
  setReplyMode(mode: ReplyMode): void {
    if (mode === "skip" && this.#replyMode === "off") return;
    this.#replyMode = mode;
    this.#isSkipping = false;
    this.#host.isMuted = mode !== "on";
  }

  /** Whether the client watches what others ask. */
  get isMonitor(): boolean {
    return this.#endMonitor !== null;
  }

  /** MONITOR. @param end Called once, when the client watches no longer. */
  monitor(end: () => void): void {
    this.#endMonitor = end;
  }

  /** A command is about to be dispatched. */
  dispatching(): void {
    this.#isSkipping = this.#replyMode === "skip";
  }

  /** The command was dispatched, or will be dispatched again. */
  dispatched(): void {
    if (this.#host.credit.isRefused) return;
    if (this.#isSkipping) this.setReplyMode("on");
    this.tracking?.dispatched();
    this.endIfNone();
  }

  /** A request without words came: Redis takes it for the next command, too. */
  passedEmpty(): void {
    if (this.#replyMode === "skip") this.setReplyMode("on");
    this.endIfNone();
  }

  /** Ends them when there is nothing extra any more. */
  endIfNone(): void {
    if (this.#replyMode === "on" && this.tracking === null && !this.isMonitor) {
      this.#host.extras = null;
    }
  }

  /** RESET, or the end of the client. A reply that was not wanted, of RESET itself too, is left out. */
  reset(): void {
    if (!this.#isSkipping) this.setReplyMode("on");
    this.#endMonitor?.();
    this.#endMonitor = null;
    this.endTracking();
  }

  /** CLIENT TRACKING OFF. */
  endTracking(): void {
    this.tracking?.end();
    this.tracking = null;
    const { reads } = this.#host;
    reads?.missed();
    this.#host.ways = reads;
    this.endIfNone();
  }
}
