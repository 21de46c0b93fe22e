/**
 * Writers that know of each write who acknowledged it, through which proxy, and by which server.
 *
 *      one writer for each proxy and list:
 *      RPUSH of a new token, by a script that also tells the server's run id ─► WAIT, if wanted ─► noted
 *
 * A writer has little patience: where no answer comes, it connects anew and tries the next token. So the
 * first acknowledged write after a fault tells when a slot was served again.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { within } from "../../support/deadline.ts";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";

/** A proxy that is written through. */
export interface Way {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** How it is written. */
export interface LedgerOptions {
  readonly ways: readonly Way[];
  /** A hash tag of a slot for each group. */
  readonly tags: readonly string[];
  /** Time between two writes of a writer, in milliseconds. */
  readonly everyMs: number;
  /** Replicas that must have a write before it counts as acknowledged; 0: none. */
  readonly replicas: number;
}

/** A write that was acknowledged. Times are monotonic milliseconds. */
export interface Acknowledged {
  readonly token: string;
  readonly tag: string;
  readonly way: string;
  /** The run id of the server that has executed it. */
  readonly server: string;
  readonly sentMs: number;
  readonly atMs: number;
}

/** Two servers that both acknowledged writes of one slot. */
export interface Overlap {
  readonly tag: string;
  readonly servers: readonly [earlier: string, later: string];
  /** From the later one's first write to the earlier one's last. */
  readonly ms: number;
}

/** How long an answer is waited for, in milliseconds. */
const PATIENCE_MS = 250;
/** How long a connection to a proxy may take. */
const CONNECT_MS = 2_000;

const SCRIPT = "redis.call('RPUSH', KEYS[1], ARGV[1]) " +
  "return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')";

/** See the header. */
export class Ledger {
  readonly #options: LedgerOptions;
  #generation = 0;
  #acknowledged: Acknowledged[] = [];
  /** Errors since {@linkcode Ledger.begin}, and how often. */
  readonly errors = new Map<string, number>();
  #isStopped = false;
  readonly #writers: Promise<void>[] = [];

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Begins new lists, and writing if that has not begun. */
  begin(): void {
    this.#generation++;
    this.#acknowledged = [];
    this.errors.clear();
    if (this.#writers.length > 0) return;
    for (const way of this.#options.ways) {
      for (const tag of this.#options.tags) this.#writers.push(this.#write(way, tag));
    }
  }

  /** Ends all writers. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#writers);
  }

  /** What was acknowledged since {@linkcode Ledger.begin}, in order. */
  get acknowledged(): readonly Acknowledged[] {
    return this.#acknowledged;
  }

  /** The list of a tag. */
  keyOf(tag: string): string {
    return `${tag}:${this.#generation}`;
  }

  /** The first write sent through a proxy after a moment that was acknowledged by another server than `old`. */
  firstAfter(way: Way, tag: string, sinceMs: number, old = ""): Acknowledged | undefined {
    return this.#acknowledged.find((each) =>
      each.way === way.name && each.tag === tag && each.sentMs > sinceMs && each.server !== old
    );
  }

  /** Servers that acknowledged writes of one slot at the same time, the longest first. */
  overlaps(): Overlap[] {
    const overlaps: Overlap[] = [];
    for (const tag of this.#options.tags) {
      const spans = new Map<string, { fromMs: number; toMs: number }>();
      for (const { server, atMs, tag: of } of this.#acknowledged) {
        if (of !== tag) continue;
        spans.set(server, { fromMs: spans.get(server)?.fromMs ?? atMs, toMs: atMs });
      }
      const inOrder = [...spans].sort(([, a], [, b]) => a.fromMs - b.fromMs);
      for (const [i, [later, { fromMs }]] of inOrder.entries()) {
        for (const [earlier, { toMs }] of inOrder.slice(0, i)) {
          if (toMs > fromMs) overlaps.push({ tag, servers: [earlier, later], ms: toMs - fromMs });
        }
      }
    }
    return overlaps.sort((a, b) => b.ms - a.ms);
  }

  async #write(way: Way, tag: string): Promise<void> {
    const { everyMs, replicas } = this.#options;
    let client: RespClient | undefined;
    for (let count = 0; !this.#isStopped; count++) {
      const generation = this.#generation;
      const token = `${way.name}.${generation}.${count}`;
      const sentMs = performance.now();
      try {
        client ??= await within(RespClient.connect(way.port, way.host, PATIENCE_MS), CONNECT_MS);
        const requests = [["EVAL", SCRIPT, 1, this.keyOf(tag), token]];
        if (replicas > 0) requests.push(["WAIT", replicas, PATIENCE_MS - 50]);
        await client.sendRaw(encodeRequests(requests));
        const replies = [];
        for (let i = 0; i < requests.length; i++) replies.push((await client.read()).value);
        const [server, copies = 0] = replies;
        const failed = replies.find((reply) => reply instanceof ReplyError);
        if (failed instanceof ReplyError) throw failed;
        if (Number(copies) < replicas) throw new ReplyError(`WAIT answered ${copies}`);
        const atMs = performance.now();
        if (generation === this.#generation) {
          this.#acknowledged.push({
            ...{ token, tag, way: way.name, server: `${server}`, sentMs, atMs },
          });
        }
      } catch (error) {
        const { message } = error as Error;
        this.errors.set(message, (this.errors.get(message) ?? 0) + 1);
        if (!(error instanceof ReplyError)) {
          client?.close();
          client = undefined;
        }
      }
      await delay(Math.max(1, everyMs - (performance.now() - sentMs)));
    }
    client?.close();
  }
}
