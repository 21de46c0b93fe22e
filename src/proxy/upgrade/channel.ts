/**
 * The calls between an old process and the new one that takes over from it, over a socket of this machine that
 * only their user can connect to.
 *
 *     new                                              old
 *      │ join ───────────────────────────────────────►  │
 *      │ (loads the table, follows actions)             │
 *      │ ready ──────────────────────────────────────►  │ from now on its answers wait for the new one
 *      │ ◄────────── the newest action it has in hand   │
 *      │ (that one is in force; listens beside it)      │
 *      │ listening ──────────────────────────────────►  │ takes who waits at its sockets, closes them
 *      │ (stopping, if it is to end before that ─────►  │ serves on)
 *      │ ◄──────────────────────────── stoppedListening │ lets its clients go
 *      │ ◄──────────────────────────────────────── left │ serves nobody any more
 *      │ (its entry ends with this process from now on) │
 *      │ heard ──────────────────────────────────────►  │ ends
 *      │ ◄──────────── applied, applied ────────────►   │ an action is in force here; all the time
 *
 * An old process that ends before "ready" takes entry and fence with it, says that it has left, and lets nobody serve
 * beside it any more; the new one then makes its own. After "ready" who is left has both to remove.
 *
 * @module
 */

import { type CallTable, RemoteCalls } from "../../base/remote_call.ts";
import { inTime } from "../../base/sleep.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import type { SharedPort } from "../../io/port_steering.ts";

/** Longest time that the other process may take to hear that this one has left, in milliseconds. */
const LEFT_MS = 2_000;

/** The calls below, as a number: counted up when they change, so that two versions do not wait in vain. */
const CALLS_VERSION = 1;

/** What the new process says of itself. */
export interface NewProcess {
  readonly calls: number;
  readonly pid: number;
  readonly version: string;
  /** What proves its end. */
  readonly life: string;
}

/** What the old process says of itself. */
export interface OldProcess {
  readonly calls: number;
  readonly record: ProxyRecord;
  /** Its sockets for clients, in their order, and the one for HTTP. */
  readonly clients: readonly SharedPort[];
  readonly http: SharedPort;
  /** The number of the store that it works with; see `loadActionsBefore`. */
  readonly store: number;
}

/** The calls that an old process answers. */
export interface OldCalls {
  /** @throws {Error} When it cannot be taken over from now. */
  join(who: NewProcess): Promise<OldProcess>;
  /**
   * Asks whether the new process may serve, from the action on that is returned: `""` for at once.
   *
   * @throws {Error} When the new one has taken too long.
   */
  ready(): string;
  listening(): void;
  applied(action: string): void;
  /** The new process is about to end; returns whether the old one serves on: it still accepts clients. */
  stopping(): boolean;
  /** Resolves when the entry is the old one's alone. */
  left(): Promise<void>;
}

/** The calls that a new process answers. */
export interface NewCalls {
  applied(action: string): void;
  stoppedListening(): void;
  /** Resolves when the entry is the new one's. */
  left(): Promise<void>;
}

/**
 * Makes the calls of a connection; takes it.
 *
 * @param onEnd Called once, when the connection has ended.
 */
export function openChannel<Theirs extends CallTable<Theirs>>(
  connection: Deno.Conn,
  own: OldCalls | NewCalls,
  onEnd: () => void,
): RemoteCalls<Theirs> {
  const encoder = new TextEncoder();
  const writer = connection.writable.getWriter();
  const calls = new RemoteCalls<Theirs>((message) => {
    writer.write(encoder.encode(`${message}\n`)).catch(() => {});
  }, own);
  const end = () => {
    calls.end(new Error("the other process has ended the connection"));
    onEnd();
  };
  read(connection, (line) => calls.receive(line)).then(end, end);
  return calls;
}

async function read(connection: Deno.Conn, receive: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const text of connection.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) receive(line);
  }
}

/** What each process says of itself to the other one first. */
export function ownCalls(): { readonly calls: number } {
  return { calls: CALLS_VERSION };
}

/** @throws {Error} When the other process has other calls than this one. */
export function checkCalls({ calls }: { readonly calls: number }): void {
  if (calls === CALLS_VERSION) return;
  throw new Error(
    "its version takes over in another way: stop the old process, and start the new one",
  );
}

/**
 * Tells the other process that this one serves nobody any more.
 *
 * @returns Whether it has heard that.
 */
export async function tellLeft(
  calls: RemoteCalls<OldCalls> | RemoteCalls<NewCalls>,
): Promise<boolean> {
  const heard = (calls as RemoteCalls<NewCalls>).call("left").then(() => true);
  return await inTime(heard, LEFT_MS) ?? false;
}
