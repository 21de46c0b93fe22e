/**
 * The clients: each writes its own items, reads everybody's, and holds every reply to what may be there.
 *
 *      pace ─► a batch of commands ─► sent at once ─► replies, one by one ─► checked ─► pace …
 *                                        └─ connection lost: what is unanswered is unknown; another proxy
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { slotOf } from "../../support/router_server.ts";
import { chance } from "../../support/fuzz.ts";
import { Item, type Outcome, type Reading, type Sent, timeOf } from "./item.ts";
import {
  anyOperation,
  Dice,
  firstWrite,
  getAll,
  isGettable,
  keysOf,
  KIND_NAMES,
  type Operation,
  readOf,
  setAll,
} from "./operations.ts";

/** How much is asked. */
export interface LoadOptions {
  readonly clients: number;
  /** Keys, about. */
  readonly keys: number;
  /** Commands per second, of all clients together. */
  readonly rate: number;
  readonly seed: number;
  /** Whether servers let keys live longer than they were told to. */
  readonly mayOutlive: boolean;
  /** Whether a client may be told that its command was not, or perhaps, executed. */
  readonly mayFail: boolean;
  /**
   * Replicas that must have a batch before it counts as acknowledged, asked for by WAIT; with this key, even
   * 0, masters may be replaced: they may refuse writes for a while. Left out: they may not.
   */
  readonly replicas?: number | undefined;
}

/** What has been asked so far. */
export interface Tally {
  /** Writes that were acknowledged. */
  acknowledged: number;
  /** Reads whose replies were compared with what may be there. */
  checkedReads: number;
  /** Commands that were refused, and so not executed. */
  refused: number;
  /** Writes of which nobody knows whether they were executed. */
  unknown: number;
  /** Connections that were lost. */
  lost: number;
  /** The longest wait for a reply that came, in milliseconds. */
  longestMs: number;
}

/** Where clients connect, and who hears of what is wrong. */
export interface LoadHost {
  /** A port at which a proxy may be. */
  port(dice: Dice): number;
  violated(text: string): void;
}

/** Keys of one set of kinds: a key for each kind, three for tags. */
const KEYS_PER_SET = KIND_NAMES.length + 2;
/** Every so many-th client uses another database. */
const OTHER_DATABASE_EVERY = 8;
const OTHER_DATABASE = 3;
/** Commands that fill a client's items at once. */
const FILL_BATCH = 50;
/** Commands of one batch, and of them for one item. */
const BATCH_MAX = 6;
const ITEM_BATCH_MAX = 3;
/** Items of which it is known that they were written a moment ago. */
const RECENT = 256;
/** Longest wait for a reply, above what a proxy lets a request wait, in milliseconds. */
const REPLY_MS = 60_000;
/** How long replicas are waited for, in milliseconds. */
const REPLICAS_MS = 1_000;
/** Wait before another try to connect, in milliseconds. */
const RECONNECT_MS = 50;
/** Batches after which a client tries another proxy. */
const WANDER_SHARE = 0.002;

/** Failures that are told one by one. */
const FAILURES_TOLD = 5;

/** Errors that say that a command was not executed. */
const REFUSED = /^(ERR handle request, |LOADING )/;
/** The same, of servers that are no masters any more, or whose replicas are not there yet. */
const NOT_MASTER = /^(READONLY|NOREPLICAS|MASTERDOWN) /;
/** Errors that say that it may have been. */
const UNKNOWN = /^ERR handle response, /;

/** All clients and their items. */
export class Load {
  readonly items: readonly Item[];
  readonly tally: Tally = {
    acknowledged: 0,
    checkedReads: 0,
    refused: 0,
    unknown: 0,
    lost: 0,
    longestMs: 0,
  };
  readonly #options: LoadOptions;
  readonly #host: LoadHost;
  readonly #clients: LoadClient[] = [];
  /** By database: items of which something new can be read. */
  readonly recent = new Map<number, Item[]>();
  #running: Promise<void>[] = [];
  #failures = 0;
  isStopped = false;

  constructor(options: LoadOptions, host: LoadHost) {
    this.#options = options;
    this.#host = host;
    const sets = Math.max(1, Math.ceil(options.keys / KEYS_PER_SET));
    const byClient: Item[][] = Array.from({ length: options.clients }, () => []);
    for (let set = 0; set < sets; set++) {
      const owner = set % options.clients;
      for (const kind of KIND_NAMES) {
        const keys = keysOf(kind, `${set}`);
        const slotId = slotOf(keys[0]!);
        byClient[owner]!.push(
          new Item(kind, keys, slotId, databaseOf(owner), options.mayOutlive),
        );
      }
    }
    this.items = byClient.flat();
    for (const [id, items] of byClient.entries()) {
      if (items.length > 0) this.#clients.push(new LoadClient(id, items, this));
    }
  }

  get options(): LoadOptions {
    return this.#options;
  }

  get host(): LoadHost {
    return this.#host;
  }

  /** Writes every item once. */
  async fill(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.fill()));
  }

  /** Begins to ask, and returns at once. */
  start(): void {
    this.#running = this.#clients.map((client) => client.run());
  }

  /** Lets every client end its batch. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.#running);
    for (const client of this.#clients) client.close();
    if (this.#failures > FAILURES_TOLD) {
      this.#host.violated(`${this.#failures} commands or connections have failed, all in all`);
    }
  }

  /** Nothing was killed, and yet a command or a connection has failed. */
  noteFailure(text: string): void {
    if (++this.#failures <= FAILURES_TOLD) this.#host.violated(text);
  }

  /** Something of an item can be read that was not there a moment ago. */
  noteRecent(item: Item): void {
    let recent = this.recent.get(item.database);
    if (recent === undefined) this.recent.set(item.database, recent = []);
    recent.push(item);
    if (recent.length > RECENT) recent.shift();
  }
}

function databaseOf(client: number): number {
  return client % OTHER_DATABASE_EVERY === OTHER_DATABASE_EVERY - 1 ? OTHER_DATABASE : 0;
}

/** One client, its connection and its items. */
class LoadClient {
  readonly #id: number;
  readonly #items: readonly Item[];
  readonly #load: Load;
  readonly #dice: Dice;
  readonly #database: number;
  #connection: RespClient | undefined;
  #tokens = 0;
  /** When the next batch may be sent, in monotonic milliseconds. */
  #dueMs = performance.now();

  constructor(id: number, items: readonly Item[], load: Load) {
    this.#id = id;
    this.#items = items;
    this.#load = load;
    this.#dice = new Dice(chance(load.options.seed * 1_000 + id));
    this.#database = databaseOf(id);
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async fill(): Promise<void> {
    for (let at = 0; at < this.#items.length; at += FILL_BATCH) {
      const some = this.#items.slice(at, at + FILL_BATCH);
      await this.#send(some.map((item) => firstWrite(item, this.#token(), this.#dice)));
    }
    this.#dueMs = performance.now();
  }

  async run(): Promise<void> {
    const { options: { clients, rate } } = this.#load;
    const msPerCommand = 1_000 * clients / rate;
    while (!this.#load.isStopped) {
      const restMs = this.#dueMs - performance.now();
      if (restMs > 0) await delay(restMs);
      const batch = this.#choose();
      await this.#send(batch);
      // Half of the rest is chance, so that clients do not go in step. What was late stays late.
      const paceMs = batch.length * msPerCommand * (0.5 + this.#dice.random());
      this.#dueMs = Math.max(this.#dueMs + paceMs, performance.now() - 50);
      if (this.#dice.happens(WANDER_SHARE)) this.close();
    }
  }

  #token(): string {
    return `${this.#id.toString(36)}.${(this.#tokens++).toString(36)}`;
  }

  // -- what is asked ----------------------------------------------------------------------------

  #choose(): Operation[] {
    const dice = this.#dice;
    const batch: Operation[] = [];
    const size = dice.between(1, BATCH_MAX);
    while (batch.length < size) {
      if (dice.happens(0.35)) {
        const read = this.#foreignRead();
        if (read !== undefined) batch.push(read);
        continue;
      }
      const item = dice.one(this.#items);
      if (item.isBroken) {
        if (this.#items.every(({ isBroken }) => isBroken)) break;
        continue;
      }
      if (item.kind === "tags" && !item.isInDoubt && dice.happens(0.2)) {
        batch.push(this.#setTwo(item));
        continue;
      }
      for (let i = dice.between(1, ITEM_BATCH_MAX); i > 0; i--) {
        batch.push(anyOperation(item, this.#token(), dice));
      }
    }
    return batch;
  }

  /** An MSET over the tags of two items, in different slots. */
  #setTwo(item: Item): Operation {
    const other = this.#dice.one(this.#items);
    const items = other.kind === "tags" && other !== item && !other.isBroken
      ? [item, other]
      : [item];
    return setAll(items, items.map(() => this.#token()));
  }

  /** Reads what somebody else has written, mostly a moment ago. */
  #foreignRead(): Operation | undefined {
    const dice = this.#dice;
    const recent = this.#load.recent.get(this.#database) ?? [];
    const pick = () => dice.one(dice.happens(0.7) && recent.length > 0 ? recent : this.#load.items);
    const isFit = (item: Item) =>
      item.database === this.#database && !item.isBroken && !this.#owns(item);
    const first = pick();
    if (!isFit(first)) return undefined;
    if (!isGettable(first) || dice.happens(0.5)) return readOf(first);
    const others = [pick(), pick(), pick()].filter((item) => isFit(item) && isGettable(item));
    return getAll([...new Set([first, ...others])]);
  }

  #owns(item: Item): boolean {
    return this.#own.has(item);
  }

  get #own(): ReadonlySet<Item> {
    return this.#ownItems ??= new Set(this.#items);
  }
  #ownItems: ReadonlySet<Item> | undefined;

  // -- asking -----------------------------------------------------------------------------------

  async #send(batch: readonly Operation[]): Promise<void> {
    if (batch.length === 0) return;
    const connection = await this.#connect();
    if (connection === undefined) return;
    const sentMs = Date.now();
    const own = new Map<Item, { sent: Sent[]; outcomes: Outcome[] }>();
    const readings = new Map<Item, Reading>();
    for (const { parts, words } of batch) {
      for (const { item, command } of parts) {
        if (!this.#owns(item)) {
          if (!readings.has(item)) readings.set(item, item.open());
          continue;
        }
        let of = own.get(item);
        if (of === undefined) own.set(item, of = { sent: [], outcomes: [] });
        of.sent.push({ command, words });
      }
    }
    for (const [item, { sent }] of own) item.begin(sent, sentMs);
    const startedMs = performance.now();
    const outcomes = await this.#ask(connection, batch);
    const span = { sentMs, endedMs: Date.now() };
    const { tally } = this.#load;
    if (outcomes.every(({ length }) => length > 0)) {
      tally.longestMs = Math.max(tally.longestMs, performance.now() - startedMs);
    }
    for (const [i, operation] of batch.entries()) {
      this.#count(operation, outcomes[i]!);
      for (const [k, { item, command }] of operation.parts.entries()) {
        const outcome = outcomes[i]![k]!;
        const of = own.get(item);
        if (of !== undefined) of.outcomes.push(outcome);
        else if (outcome.kind === "replied" && !item.isBroken) {
          const reading = readings.get(item)!;
          tally.checkedReads++;
          if (reading.allows(command, outcome.reply, span)) continue;
          this.#violated(
            item,
            `${operation.words.join(" ")} of client ${this.#id} read "${outcome.reply}" ` +
              `(${timeOf(span.sentMs)}+${span.endedMs - span.sentMs}), there could be ${reading}`,
          );
        }
      }
    }
    for (const [item, reading] of readings) item.close(reading);
    for (const [item, { sent, outcomes }] of own) {
      const wasBroken = item.isBroken;
      const wrong = item.end(sent, outcomes, span);
      if (wrong !== "" && !wasBroken) this.#violated(item, wrong);
      this.#load.noteRecent(item);
    }
  }

  #violated(item: Item, text: string): void {
    item.isBroken = true;
    this.#load.host.violated(`${timeOf(Date.now())} ${text}\n    ${item.describe()}`);
  }

  #count({ isRead, parts }: Operation, outcomes: readonly Outcome[]): void {
    const { tally } = this.#load;
    const { kind } = outcomes[0]!;
    if (kind === "refused") tally.refused++;
    else if (kind === "unknown" && !isRead) tally.unknown++;
    else if (kind === "replied" && !isRead) tally.acknowledged++;
    else if (kind === "replied" && this.#owns(parts[0]!.item)) tally.checkedReads++;
  }

  /** @returns For each operation the outcome for each of its items. */
  async #ask(connection: RespClient, batch: readonly Operation[]): Promise<Outcome[][]> {
    const outcomes: Outcome[][] = [];
    const { replicas = 0 } = this.#load.options;
    const more = replicas > 0 ? [...this.#touches(batch), ["WAIT", replicas, REPLICAS_MS]] : [];
    try {
      const words = [...batch.map((operation) => operation.words), ...more];
      const sending = connection.sendRaw(encodeRequests(words));
      sending.catch(() => {}); // what reading says of it says more
      for (const operation of batch) {
        outcomes.push(this.#outcomesOf(operation, (await connection.read()).value));
      }
      let counted: RespValue = 0;
      for (let i = 0; i < more.length; i++) counted = (await connection.read()).value;
      if (!(Number(counted) >= replicas)) doubt(outcomes, `WAIT: ${counted}`);
      await sending;
    } catch (error) {
      this.#load.tally.lost++;
      this.close();
      const { message } = error as Error;
      if (replicas > 0) doubt(outcomes, message);
      if (!this.#load.options.mayFail) {
        this.#load.noteFailure(`client ${this.#id} lost its connection: ${message}`);
      }
      for (const { parts } of batch.slice(outcomes.length)) {
        outcomes.push(parts.map(() => ({ kind: "unknown", cause: message })));
      }
    }
    return outcomes;
  }

  /** WAIT asks the servers that were written to: writes nothing to those that an own item was read from. */
  #touches(batch: readonly Operation[]): string[][] {
    const items = batch.flatMap(({ isRead, parts }) => isRead ? parts.map(({ item }) => item) : []);
    return [...new Set(items)].filter((item) => this.#owns(item)).map((
      { keys: [key] },
    ) => ["DEL", `${key!.startsWith("{") ? key : `{${key}}`}:none`]);
  }

  #outcomesOf(operation: Operation, reply: RespValue): Outcome[] {
    const { parts, words } = operation;
    if (!(reply instanceof ReplyError)) {
      try {
        return operation.replies(reply).map((text) => ({ kind: "replied", reply: text }));
      } catch {
        return parts.map(() => ({ kind: "replied", reply: `a wrong type: ${reply}` }));
      }
    }
    const { message } = reply;
    const isRefused = REFUSED.test(message) ||
      this.#load.options.replicas !== undefined && NOT_MASTER.test(message);
    if (!(isRefused || UNKNOWN.test(message))) {
      this.#load.host.violated(`${timeOf(Date.now())} ${words.join(" ")}: ${message}`);
    } else if (!this.#load.options.mayFail) {
      this.#load.noteFailure(`${timeOf(Date.now())} ${words.join(" ")}: ${message}`);
    }
    // Of a command that is several to Redis, some may have been executed.
    if (isRefused && parts.length === 1) return [{ kind: "refused" }];
    return parts.map(() => ({ kind: "unknown", cause: message }));
  }

  async #connect(): Promise<RespClient | undefined> {
    while (this.#connection === undefined && !this.#load.isStopped) {
      let connection: RespClient | undefined;
      try {
        const port = this.#load.host.port(this.#dice);
        connection = await RespClient.connect(port, "127.0.0.1", REPLY_MS);
        const selected = await connection.call("SELECT", this.#database);
        if (selected !== "OK") throw new Error(`SELECT: ${selected}`);
        this.#connection = connection;
      } catch {
        connection?.close();
        await delay(RECONNECT_MS);
      }
    }
    return this.#connection;
  }
}

/** What was answered is not known to last. */
function doubt(outcomes: Outcome[][], cause: string): void {
  for (const of of outcomes) {
    for (const [i, { kind }] of of.entries()) {
      if (kind === "replied") of[i] = { kind: "unknown", cause };
    }
  }
}
