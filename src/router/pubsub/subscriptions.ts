/**
 * What one client is subscribed to, at every master.
 *
 *      SUBSCRIBE ─► sent to each master ─► each has acknowledged ─► acknowledged to the client, counted here
 *      message of a master ─► in order? ─► client
 *
 * Several may be under way: each server takes them in the order in which the client has sent them, and the client is
 * told in that order.
 *
 * The client has a connection of its own to every master: so PUBLISH and PUBSUB NUMSUB count it once,
 * wherever a message is published, and a slot may move without a word.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { Encoder, utf8 } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { Server } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import {
  backendDown,
  backendFailure,
  isOfOneClient,
  privateConnectionsSpent,
  SLOT_NOT_READY,
} from "../errors.ts";
import type { ClientSubscriptions, SubscriptionCounts } from "./client_subscriptions.ts";
import { CHANNELS, PATTERNS, SHARD_CHANNELS, SUBSCRIPTION_KINDS } from "./kinds.ts";
import type { SubscriptionKind } from "./kinds.ts";
import { MessageOrder } from "./message_order.ts";
import type { PushedFrame } from "./pushed_frame.ts";
import type { Subscriber } from "./subscribers.ts";
import { PATTERNS_CELL } from "./subscribing.ts";
import { type LinkOutcome, SubscriberLink, type SubscriberLinkUser } from "./subscriber_link.ts";

const PUSH_OF_3 = { 2: utf8("*3\r\n"), 3: utf8(">3\r\n") };

/** A SUBSCRIBE or UNSUBSCRIBE that is under way. */
interface Step {
  readonly kind: SubscriptionKind;
  readonly word: string;
  /** What every server is asked for. */
  readonly names: ReadonlySet<string>;
  /** Messages that have come before the client knows that it is subscribed. */
  readonly early: { link: SubscriberLink; frame: PushedFrame; message: Uint8Array }[];
  /** Lets PUBLISH go on that must not overtake it. */
  readonly ended: () => void;
  /** Tells the client, or goes on, when every server has answered; null before. */
  next: (() => void) | null;
}

/** See the drawing above. */
export class Subscriptions implements ClientSubscriptions, Subscriber, SubscriberLinkUser {
  readonly #client: Client;
  readonly #names = new Map<SubscriptionKind, Set<string>>(
    SUBSCRIPTION_KINDS.map((kind) => [kind, new Set()]),
  );
  readonly #links = new Map<Server, SubscriberLink>();
  readonly #order: MessageOrder;
  /** What is under way, the oldest first. */
  readonly #steps: Step[] = [];
  #isClosed = false;
  /** Since when it waits until it may connect; 0 while it does not. */
  #waitingSinceMs = 0;

  private constructor(client: Client) {
    this.#client = client;
    this.#order = new MessageOrder(
      client.shared.slots,
      () => this.#links.values(),
      (message) => this.#deliver(message),
      (bytes) => client.replies.holds(bytes),
    );
    client.shared.subscribers.add(this);
  }

  /** Those of a client, which has none yet, or has some. */
  static of(client: Client): Subscriptions {
    const { subscriptions } = client;
    if (subscriptions instanceof Subscriptions) return subscriptions;
    const made = new Subscriptions(client);
    client.subscriptions = made;
    return made;
  }

  get counts(): SubscriptionCounts {
    return {
      channels: this.#names.get(CHANNELS)!.size,
      patterns: this.#names.get(PATTERNS)!.size,
      shardChannels: this.#names.get(SHARD_CHANNELS)!.size,
    };
  }

  get isSubscribed(): boolean {
    for (const names of this.#names.values()) if (names.size > 0) return true;
    return false;
  }

  every(holds: (name: string, isPattern: boolean) => boolean): boolean {
    const coming = this.#steps.filter(({ kind, word }) => word === kind.subscribe)
      .map(({ kind, names }) => [kind, names] as const);
    const all = [...this.#names, ...coming];
    return all.every(([kind, names]) => [...names].every((name) => holds(name, kind === PATTERNS)));
  }

  get underWay(): number {
    return this.#steps.length;
  }

  /** Redis's count of a kind: channels and patterns together. */
  #countOf(kind: SubscriptionKind): number {
    const { channels, patterns, shardChannels } = this.counts;
    return kind.isShard ? shardChannels : channels + patterns;
  }

  // -- commands ---------------------------------------------------------------------------------

  /**
   * Connects to all masters.
   *
   * @param patienceMs How long it may wait until it may; 0 for an error at once.
   * @returns `waiting` when one has lent too many connections: the client is resumed when to ask again.
   * An error text when there is nothing to connect to. Else an empty text.
   */
  connect(patienceMs: number): "waiting" | string {
    const { subscribers } = this.#client.shared;
    const servers = subscribers.servers();
    let cause = SLOT_NOT_READY;
    for (const server of servers) {
      if (this.#links.has(server)) continue;
      const outage = subscribers.outageCause(server);
      if (outage !== null) {
        subscribers.lost(server, this, outage);
        cause = backendDown(server.address, outage);
      } else if (!this.#open(server, (failure) => this.#joined(server, failure))) {
        return this.#waits(server, patienceMs);
      }
    }
    this.#waitingSinceMs = 0;
    if (this.#links.size > 0) return "";
    this.#endIfUnused();
    return cause;
  }

  #joined(server: Server, failure: string): void {
    if (failure === "") return;
    if (!isOfOneClient(failure)) this.#client.shared.subscribers.lost(server, this, failure);
    else if (this.isSubscribed) this.#endClient(server, failure); // else its SUBSCRIBE is refused
  }

  #waits(server: Server, patienceMs: number): "waiting" | string {
    if (this.#waitingSinceMs === 0) this.#waitingSinceMs = clock.nowMs;
    if (patienceMs > 0 && clock.nowMs - this.#waitingSinceMs <= patienceMs) return "waiting";
    this.#waitingSinceMs = 0;
    server.leavePrivateQueue(this.#client);
    this.#endIfUnused();
    return privateConnectionsSpent(server.address, this.#client.shared.options);
  }

  /**
   * Subscribes.
   *
   * @param names Each as latin1.
   * @param answered Called once with the reply.
   */
  subscribe(
    kind: SubscriptionKind,
    names: readonly string[],
    answered: (reply: Uint8Array) => void,
  ): void {
    const mine = this.#names.get(kind)!;
    const added = names.filter((name) => !mine.has(name) || this.#isUnderWay(kind, name));
    const step = this.#begin(kind, kind.subscribe, added);
    this.#ask(step.word, step.names, (error) => {
      this.#goOn(step, () => {
        if (error !== "") return this.#undo(step, error, answered);
        this.#end(step);
        const out = new Encoder(this.#client.protocol);
        for (const name of names) {
          mine.add(name);
          this.#acknowledge(out, kind, kind.subscribe, name);
        }
        answered(out.done());
        for (const { link, frame, message } of step.early) {
          this.#client.replies.holds(-message.length);
          this.message(link, frame, message);
        }
      });
    });
  }

  /** A server does not want it: the others forget it, but for what was asked for since. */
  #undo(step: Step, error: string, answered: (reply: Uint8Array) => void): void {
    const { kind, names, early } = step;
    const later = this.#steps.slice(1).filter((each) => each.kind === kind);
    const undone = [...names].filter((name) => !later.some((each) => each.names.has(name)));
    this.#ask(kind.unsubscribe, new Set(undone), () => {
      this.#goOn(step, () => {
        this.#end(step);
        for (const { message } of early) this.#client.replies.holds(-message.length);
        this.#endIfUnused();
        answered(new Encoder(2).error(error).done());
      });
    });
  }

  /**
   * Unsubscribes.
   *
   * @param names Each as latin1; with none, from all of the kind.
   * @param answered Called once with the reply.
   */
  unsubscribe(
    kind: SubscriptionKind,
    names: readonly string[],
    answered: (reply: Uint8Array) => void,
  ): void {
    const mine = this.#names.get(kind)!;
    const named = names.length === 0 ? [...this.#expected(kind)] : names;
    const removed = named.filter((name) => mine.has(name) || this.#isUnderWay(kind, name));
    const step = this.#begin(kind, kind.unsubscribe, removed);
    this.#ask(step.word, step.names, () => {
      this.#goOn(step, () => {
        this.#end(step);
        this.#order.releaseAll();
        const out = new Encoder(this.#client.protocol);
        for (const name of named) {
          mine.delete(name);
          this.#acknowledge(out, kind, kind.unsubscribe, name);
        }
        if (named.length === 0) this.#acknowledge(out, kind, kind.unsubscribe, null);
        this.#endIfUnused();
        answered(out.done());
      });
    });
  }

  #begin(kind: SubscriptionKind, word: string, asked: readonly string[]): Step {
    const names = new Set(asked);
    const ended = this.#client.shared.subscribing.begin(this.#cellsOf(kind, names));
    const step: Step = { kind, word, names, early: [], ended, next: null };
    this.#steps.push(step);
    return step;
  }

  /** Every server has answered a step: it goes on when those before it have ended. */
  #goOn(step: Step, next: () => void): void {
    step.next = next;
    for (let first = this.#steps[0]; first?.next; first = this.#steps[0]) {
      const { next } = first;
      first.next = null;
      next();
    }
  }

  /** Ends the first step. */
  #end({ ended }: Step): void {
    this.#steps.shift();
    ended();
  }

  /** Whether something is under way that changes a subscription. */
  #isUnderWay(kind: SubscriptionKind, name: string): boolean {
    return this.#steps.some((step) => step.kind === kind && step.names.has(name));
  }

  /** What it will be subscribed to when all has ended that is under way. */
  #expected(kind: SubscriptionKind): Set<string> {
    const expected = new Set(this.#names.get(kind)!);
    for (const { kind: its, word, names } of this.#steps) {
      if (its !== kind) continue;
      for (const name of names) {
        if (word === kind.subscribe) expected.add(name);
        else expected.delete(name);
      }
    }
    return expected;
  }

  #cellsOf(kind: SubscriptionKind, names: ReadonlySet<string>): number[] {
    if (kind === PATTERNS) return [PATTERNS_CELL];
    const { placement } = this.#client.shared.slots;
    const bytes = [...names].map(latin1Bytes);
    return [...new Set(bytes.map((name) => placement.slotIdOf(name, 0, name.length)))];
  }

  #acknowledge(out: Encoder, kind: SubscriptionKind, word: string, name: string | null): void {
    out.raw(PUSH_OF_3[out.protocol]).bulk(word);
    if (name === null) out.null();
    else out.bulk(latin1Bytes(name));
    out.integer(this.#countOf(kind));
  }

  /** Asks every server; `ended` gets the first error of one that refuses the client, or that none is left. */
  #ask(word: string, names: ReadonlySet<string>, ended: (error: string) => void): void {
    const bytes = [...names].map(latin1Bytes);
    const links = [...this.#links.values()];
    let left = links.length;
    let refusal = "";
    let losses = 0;
    let cause = "";
    if (left === 0) return ended("");
    const one = ({ server: { address } }: SubscriberLink, outcome: LinkOutcome) => {
      if (outcome.is === "refused") refusal ||= outcome.text;
      if (outcome.is === "lost") {
        losses++;
        cause = backendFailure(address, outcome.text);
        if (isOfOneClient(outcome.text)) refusal ||= cause;
      }
      if (--left > 0 || this.#isClosed) return;
      ended(refusal === "" && losses === links.length ? cause : refusal);
    };
    for (const link of links) link.request(word, bytes, (outcome) => one(link, outcome));
  }

  /** A client without subscriptions needs no connections. */
  #endIfUnused(): void {
    if (!this.isSubscribed && this.#steps.length === 0) this.close();
  }

  // -- messages ---------------------------------------------------------------------------------

  message(link: SubscriberLink, frame: PushedFrame, message: Uint8Array): void {
    const kind = SUBSCRIPTION_KINDS.find((each) => each.message === frame.word);
    if (kind === undefined) return;
    if (this.#names.get(kind)!.has(frame.name)) return this.#order.arrived(link, frame, message);
    const coming = this.#steps.find((step) =>
      step.word === kind.subscribe && step.names.has(frame.name)
    );
    if (coming === undefined) return;
    coming.early.push({ link, frame, message });
    this.#client.replies.holds(message.length);
  }

  #deliver(message: Uint8Array): void {
    message[0] = this.#client.protocol === 3 ? 62 /* > */ : 42; /* * */
    this.#client.replies.push(message);
  }

  // -- servers ----------------------------------------------------------------------------------

  /** Opens a connection, subscribed to all that there is; false when none may be opened now. */
  #open(server: Server, ended: (failure: string) => void): boolean {
    const link = SubscriberLink.open(server, this.#client, this);
    if (link === null) return false;
    const { slots } = this.#client.shared;
    link.flushedAt = slots.version; // it had nothing before
    this.#links.set(server, link);
    let refusal = "";
    for (const [kind, names] of this.#names) {
      const mine = [...names].filter((name) => !this.#isUnderWay(kind, name));
      const coming = [...this.#expected(kind)].filter((name) => this.#isUnderWay(kind, name));
      link.request(kind.subscribe, mine.map(latin1Bytes), (outcome) => {
        refusal ||= failureOf(outcome);
      });
      link.request(kind.subscribe, coming.map(latin1Bytes), () => {});
    }
    link.flush(slots.version, (outcome) => {
      const failure = refusal === "" ? failureOf(outcome) : refusal;
      link.isUp = failure === "";
      if (!link.isUp && this.#links.get(server) === link) this.#drop(server, link, failure);
      ended(failure);
    });
    return true;
  }

  /** @param cause What ends that is on its way. */
  #drop(server: Server, link: SubscriberLink, cause?: string): void {
    this.#links.delete(server);
    this.#order.gone(link);
    link.close(cause);
  }

  /** It would miss what is published there, and not know: who connects again is told why it cannot. */
  #endClient(server: Server, cause: string): void {
    const { events } = this.#client.shared;
    events.sessionTimedOut(this.#client, `no connection to ${server.address} for it: ${cause}`);
    this.#client.close();
  }

  join(server: Server, ended: (failure: string) => void): void {
    const link = this.#links.get(server);
    if (link !== undefined) {
      link.isLeaving = false;
      return ended("");
    }
    const joined = (failure: string) => {
      if (isOfOneClient(failure)) this.#endClient(server, failure);
      ended(failure);
    };
    if (this.#open(server, joined)) return;
    const reason = privateConnectionsSpent(server.address, this.#client.shared.options);
    server.leavePrivateQueue(this.#client);
    this.#endClient(server, reason);
    ended(reason);
  }

  leave(server: Server, ended: () => void): void {
    const link = this.#links.get(server);
    if (link === undefined) return ended();
    link.isLeaving = true;
    link.flush(this.#client.shared.slots.version, () => {
      if (link.isLeaving && this.#links.get(server) === link) this.#drop(server, link);
      ended();
    });
  }

  linkLost(link: SubscriberLink, cause: string): void {
    const { server } = link;
    if (this.#links.get(server) !== link) return;
    this.#links.delete(server);
    this.#order.gone(link);
    if (link.isUp) this.#client.shared.subscribers.lost(server, this, cause);
  }

  heardAll(server: object | undefined, done: () => void): void {
    const link = [...this.#links.values()].find((each) => each.server === server);
    if (link === undefined) done();
    else link.flush(0, done);
  }

  tick(): void {
    const { backendTimeoutMs } = this.#client.shared.options;
    for (const link of [...this.#links.values()]) link.tick(backendTimeoutMs);
    if (this.#waitingSinceMs > 0) this.#client.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { ended } of this.#steps.splice(0)) ended();
    this.#client.shared.subscribers.delete(this);
    for (const link of this.#links.values()) {
      link.server.leavePrivateQueue(this.#client);
      link.close();
    }
    this.#links.clear();
    this.#order.releaseAll();
    this.#client.subscriptions = null;
  }
}

/** Why a request over a link failed; empty when it did not. */
function failureOf(outcome: LinkOutcome): string {
  return outcome.is === "done" ? "" : outcome.text;
}
