/**
 * A listening socket whose connections are handles.
 *
 *     system ──► handle's backlog ──40 a turn──► accept()
 *
 * @module
 */

import { openReserve } from "../base/free_descriptors.ts";
import {
  HandleConnection,
  SOCKET,
  socketAddress,
  tcpBinding,
  type TcpHandle,
} from "./tcp_handle.ts";

/** Kind of a handle that listens. */
const SERVER = 1;
/** Flag of a bind: others may share the port. */
const REUSE_PORT = 4;
/** Time between two looks at a listener, in milliseconds; the second, while descriptors are short. */
const LOOK_MS = 500;
const SHORT_LOOK_MS = 5;

/**
 * Connections that are taken in one turn. Deno's event loop attends to 128 events of new sockets in a turn, two
 * of each; those beyond wait, the first the longest.
 */
const ACCEPTS_PER_TURN = 40;

/** So many turns without a connection, and all who came together are in. */
const QUIET_TURNS = 4;

/**
 * Listens as `Deno.listen` does.
 *
 * @returns `undefined` where that is not possible: `Deno.listen` will, or says why not.
 */
export function listenByHandle(
  options: Deno.TcpListenOptions & { port: number; readonly tcpBacklog: number },
): HandleListener | undefined {
  if (tcpBinding === undefined) return undefined;
  const { hostname = "0.0.0.0", port, reusePort = false, tcpBacklog } = options;
  const handle = new tcpBinding.Tcp(SERVER);
  const flags = reusePort ? REUSE_PORT : 0;
  try {
    const failure = hostname.includes(":")
      ? handle.bind6(hostname, port, flags)
      : handle.bindWithFlags(hostname, port, flags);
    const listener = failure === 0 ? HandleListener.open(handle, tcpBacklog) : undefined;
    if (listener === undefined) handle.close(() => {});
    return listener;
  } catch {
    handle.close(() => {});
    return undefined;
  }
}

/** A listening socket; see {@linkcode listenByHandle}. */
export class HandleListener {
  readonly addr: Deno.NetAddr;
  readonly #handle: TcpHandle;
  readonly #backlog: number;
  #waiting: PromiseWithResolvers<HandleConnection> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Connections that were given away in this turn. */
  #given = 0;
  /** Turns in which nobody has come, up to {@linkcode QUIET_TURNS}. */
  #quietTurns = QUIET_TURNS;
  #isWaitingForTurn = false;
  #isShort = false;
  #isClosed = false;

  private constructor(handle: TcpHandle, backlog: number) {
    this.#handle = handle;
    this.#backlog = backlog;
    this.addr = socketAddress((to) => handle.getsockname(to));
    handle.onconnection = () => this.#give();
  }

  /** Takes a bound handle; `undefined` when it cannot listen. */
  static open(handle: TcpHandle, backlog: number): HandleListener | undefined {
    return handle.listen(backlog) === 0 ? new HandleListener(handle, backlog) : undefined;
  }

  /** The next connection; rejects when there is no descriptor for it, or when the listener was closed. */
  accept(): Promise<HandleConnection> {
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    this.#give();
    this.#timer ??= setTimeout(this.#look, LOOK_MS);
    return promise;
  }

  /** Rejects the call that accepts, when the system has closed the socket. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#handle.close(() =>
      this.#waiting?.reject(new Deno.errors.BadResource("listener was closed"))
    );
  }

  /** Gives the next connection to who waits for it; the handle keeps the others. */
  #give(): void {
    const waiting = this.#waiting;
    if (waiting === null || this.#isClosed || this.#given >= ACCEPTS_PER_TURN) return;
    const socket = new tcpBinding!.Tcp(SOCKET);
    if (this.#handle.accept(socket) !== 0) {
      socket.close(() => {});
      // All have been given away. While more may come, it is the first of the next turn that looks.
      if (this.#quietTurns < QUIET_TURNS) this.#handle.listen(this.#backlog);
      return;
    }
    this.#given++;
    this.#quietTurns = 0;
    this.#waitForTurn();
    const connection = HandleConnection.of(socket);
    if (connection === undefined) {
      socket.close(() => {});
      return this.#give();
    }
    this.#waiting = null;
    waiting.resolve(connection);
  }

  #waitForTurn(): void {
    if (this.#isWaitingForTurn) return;
    this.#isWaitingForTurn = true;
    setTimeout(this.#nextTurn, 0);
  }

  readonly #nextTurn = (): void => {
    this.#isWaitingForTurn = false;
    this.#given = 0;
    this.#quietTurns++;
    this.#give();
    if (this.#quietTurns < QUIET_TURNS) this.#waitForTurn();
  };

  /**
   * A handle that could not accept for want of descriptors says nothing, and tries no more. So it is looked
   * at now and then, and woken.
   */
  readonly #look = (): void => {
    if (this.#isClosed) return;
    const free = openReserve();
    free?.close();
    const wasShort = this.#isShort;
    this.#isShort = free === undefined;
    this.#give();
    const waiting = this.#waiting;
    if (this.#isShort && waiting !== null) {
      this.#waiting = null;
      waiting.reject(Object.assign(new Error("too many open files"), { code: "EMFILE" }));
    }
    this.#handle.listen(this.#backlog);
    this.#timer = setTimeout(this.#look, this.#isShort || wasShort ? SHORT_LOOK_MS : LOOK_MS);
  };
}
