/**
 * Keeps the messages of each channel in order for one subscriber, which gets them from several servers.
 *
 *      message of c from B ─ others flushed since c's slot moved? ─ yes ─► handed on
 *                                          └─ no ─► held ── PING answered by A … ─► handed on
 *
 * A channel's messages come from the owner of its slot, where PUBLISH sends them, or from wherever a script
 * or a transaction published one. When they begin to come from another server, what the first one has sent
 * may still be on its way: the other connections are asked by a PING, and the new server's messages of that
 * channel wait for the answers. As long as they come from the same server, nothing is asked.
 *
 * @module
 */

import type { Placement } from "../../hash/placement.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { PushedFrame } from "./pushed_frame.ts";
import type { LinkOutcome } from "./subscriber_link.ts";

/**
 * Channels whose messages come from elsewhere than the owner of their slot, at most: of the one that had its
 * first message before all others it is forgotten.
 */
const ELSEWHERE_MAX = 4096;

/** A connection that messages come over. */
export interface MessageSource {
  readonly server: object;
  readonly isUp: boolean;
  readonly flushedAt: number;
  flush(version: number, ended: (outcome: LinkOutcome) => void): void;
}

/** The slots as they are known here. */
export interface OrderedSlots {
  readonly version: number;
  readonly placement: Pick<Placement, "slotIdOf">;
  readonly all: readonly { readonly server: object | null; readonly ownerSince: number }[];
}

/** Messages of one channel that wait. */
interface HeldChannel {
  /** What is not known yet to have sent all: its messages come before the held ones. */
  readonly waiting: Set<MessageSource>;
  readonly messages: Uint8Array[];
}

/** See the header. */
export class MessageOrder {
  readonly #slots: OrderedSlots;
  readonly #sources: () => Iterable<MessageSource>;
  readonly #deliver: (message: Uint8Array) => void;
  readonly #holds: (bytes: number) => void;
  readonly #held = new Map<string, HeldChannel>();
  /** Where the last message of a channel came from, if not from the owner of its slot. */
  readonly #elsewhere = new Map<string, object>();

  /**
   * @param sources The subscriber's connections.
   * @param holds Called with the bytes that are held, and no longer when negative.
   */
  constructor(
    slots: OrderedSlots,
    sources: () => Iterable<MessageSource>,
    deliver: (message: Uint8Array) => void,
    holds: (bytes: number) => void,
  ) {
    this.#slots = slots;
    this.#sources = sources;
    this.#deliver = deliver;
    this.#holds = holds;
  }

  /** Takes a message: hands it on, now or later. */
  arrived(source: MessageSource, frame: PushedFrame, message: Uint8Array): void {
    const channel = latin1(message, frame.channelStart, frame.channelEnd);
    const held = this.#held.get(channel);
    if (held !== undefined && !held.waiting.has(source)) {
      held.messages.push(message);
      return this.#holds(message.length);
    }
    if (held !== undefined) return this.#deliver(message); // sent before the held ones
    const waiting = this.#unflushed(source, channel, frame, message);
    if (waiting.length === 0) return this.#deliver(message);
    this.#held.set(channel, { waiting: new Set(waiting), messages: [message] });
    this.#holds(message.length);
    const { version } = this.#slots;
    for (const other of waiting) other.flush(version, () => this.gone(other, channel));
  }

  /** The connections that may still bring earlier messages of a channel. */
  #unflushed(
    source: MessageSource,
    channel: string,
    { channelStart, channelEnd }: PushedFrame,
    message: Uint8Array,
  ): MessageSource[] {
    if (channel.startsWith("__keyevent@")) return []; // each server's own
    const start = placeStart(channel, channelStart);
    const slot = this.#slots.all[this.#slots.placement.slotIdOf(message, start, channelEnd)]!;
    const others = () => [...this.#sources()].filter((other) => other !== source && other.isUp);
    if (slot.server !== source.server) {
      if (this.#elsewhere.get(channel) === source.server) return [];
      if (this.#elsewhere.size >= ELSEWHERE_MAX) {
        this.#elsewhere.delete(this.#elsewhere.keys().next().value!);
      }
      this.#elsewhere.set(channel, source.server);
      return others();
    }
    if (this.#elsewhere.size > 0 && this.#elsewhere.delete(channel)) return others();
    const since = slot.ownerSince;
    for (const other of this.#sources()) {
      if (other !== source && other.isUp && other.flushedAt < since) {
        return others().filter((each) => each.flushedAt < since);
      }
    }
    return [];
  }

  /** A connection has brought all that it had, or will bring nothing more. */
  gone(source: MessageSource, only?: string): void {
    const channels = only === undefined ? [...this.#held.keys()] : [only];
    for (const channel of channels) {
      const held = this.#held.get(channel);
      if (held === undefined || !held.waiting.delete(source)) continue;
      if (held.waiting.size === 0) this.#release(channel, held);
    }
  }

  /** Hands on all that is held. */
  releaseAll(): void {
    for (const [channel, held] of [...this.#held]) this.#release(channel, held);
  }

  #release(channel: string, { messages }: HeldChannel): void {
    this.#held.delete(channel);
    for (const message of messages) {
      this.#holds(-message.length);
      this.#deliver(message);
    }
  }
}

/** Where the part of a channel's name begins that says which server sends: a keyspace event's is its key. */
function placeStart(channel: string, start: number): number {
  if (!channel.startsWith("__keyspace@")) return start;
  const at = channel.indexOf("__:");
  return at < 0 ? start : start + at + 3;
}
