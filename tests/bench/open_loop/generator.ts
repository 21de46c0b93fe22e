/**
 * A program that sends GETs at a fixed rate, whatever the replies do, and tells how long after the
 * moment they were due they were answered: a pause of the server cannot hide behind clients that wait.
 *
 *     deno run --allow-net generator.ts PORT RATE SECONDS CONNECTIONS KEYS REPLY_BYTES
 *
 * Requests fall due once a millisecond, spread over the connections. Every reply has the same length,
 * so counting bytes is counting replies. Prints one line of JSON, an {@linkcode OpenLoopReport}.
 *
 * @module
 */

import { delay } from "@std/async/delay";

/** What the generator saw; times in milliseconds from when a request was due. */
export interface OpenLoopReport {
  readonly sent: number;
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** How late the generator itself was at worst: part of the times above. */
  readonly ownLateMs: number;
  /** Answers that came more than 10 ms late. */
  readonly over10Ms: number;
}

/** Requests that one connection may have under way. */
const UNANSWERED_MAX = 1 << 16;
/** How long answers are waited for after the last request, in milliseconds. */
const PATIENCE_MS = 5_000;

/** One connection: its requests are answered in order. */
class Sender {
  readonly #conn: Deno.TcpConn;
  readonly #dueMs = new Float64Array(UNANSWERED_MAX);
  readonly #replyBytes: number;
  readonly #answered: (ms: number) => void;
  #sent = 0;
  #received = 0;
  #bytes = 0;
  #pending: Uint8Array[] = [];
  #isWriting = false;

  constructor(conn: Deno.TcpConn, replyBytes: number, answered: (ms: number) => void) {
    this.#conn = conn;
    this.#replyBytes = replyBytes;
    this.#answered = answered;
    conn.setNoDelay(true);
    this.#read();
  }

  get unanswered(): number {
    return this.#sent - this.#received;
  }

  add(request: Uint8Array, dueMs: number): void {
    if (this.unanswered === UNANSWERED_MAX) throw new Error("the server does not keep up");
    this.#dueMs[this.#sent++ % UNANSWERED_MAX] = dueMs;
    this.#pending.push(request);
  }

  async flush(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    while (this.#pending.length > 0) {
      const bytes = joined(this.#pending.splice(0));
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    }
    this.#isWriting = false;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await this.#conn.read(buffer).catch(() => null);
      if (count === null) return;
      const nowMs = performance.now();
      this.#bytes += count;
      for (; this.#bytes >= this.#replyBytes; this.#bytes -= this.#replyBytes) {
        this.#answered(nowMs - this.#dueMs[this.#received++ % UNANSWERED_MAX]!);
      }
    }
  }

  close(): void {
    this.#conn.close();
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

async function run(
  port: number,
  rate: number,
  seconds: number,
  connections: number,
  keys: number,
  replyBytes: number,
): Promise<OpenLoopReport> {
  const requests = Array.from({ length: keys }, (_, i) => {
    const key = `open:${i}`;
    return new TextEncoder().encode(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`);
  });
  const total = Math.floor(rate * seconds);
  const latencies = new Float64Array(total);
  let answered = 0;
  const senders = await Promise.all(Array.from({ length: connections }, async () => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    return new Sender(conn, replyBytes, (ms) => latencies[answered++] = ms);
  }));
  let sent = 0;
  let ownLateMs = 0;
  const startMs = performance.now() + 10;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const due = Math.min(total, Math.floor((nowMs - startMs) / 1000 * rate));
      for (; sent < due; sent++) {
        // Due at the end of its millisecond of the schedule.
        const dueMs = startMs + Math.ceil(sent / rate * 1000);
        ownLateMs = Math.max(ownLateMs, nowMs - dueMs);
        const sender = senders[sent % connections]!;
        sender.add(requests[Math.floor(Math.random() * keys)]!, Math.min(dueMs, nowMs));
      }
      for (const sender of senders) sender.flush().catch(() => {});
      if (sent < total) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  const endMs = performance.now() + PATIENCE_MS;
  while (answered < sent && performance.now() < endMs) {
    await delay(10);
  }
  for (const sender of senders) sender.close();
  const sorted = latencies.slice(0, answered).sort();
  const at = (share: number) => sorted[Math.min(answered - 1, Math.floor(answered * share))] ?? NaN;
  const over = sorted.findIndex((ms) => ms > 10);
  return {
    sent,
    answered,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    ownLateMs,
    over10Ms: over < 0 ? 0 : answered - over,
  };
}

if (import.meta.main) {
  const [port, rate, seconds, connections, keys, replyBytes] = Deno.args.map(Number);
  const report = await run(port!, rate!, seconds!, connections!, keys!, replyBytes!);
  console.log(JSON.stringify(report));
}
