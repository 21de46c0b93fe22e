/**
 * What a process that serves tells systemd, where that has started it (`Type=notify`, `WatchdogSec=`).
 *
 *     ready ──► READY=1       stopping ──► STOPPING=1       all the time ──► WATCHDOG=1
 *
 * Each is a datagram to the socket that the variable NOTIFY_SOCKET names.
 *
 * @module
 */

import { logger } from "./log.ts";
import { ownFolders, removeIfThere } from "./own_folders.ts";

const log = logger("service");

/** See the header. Without systemd it does nothing. */
export class Systemd implements Disposable {
  readonly #manager: string;
  #socket: Deno.DatagramConn | undefined;
  #path = "";
  #watchdog: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.#manager = Deno.env.get("NOTIFY_SOCKET") ?? "";
    if (this.#manager === "") return;
    this.#open();
    const watchdogUs = Number(Deno.env.get("WATCHDOG_USEC") ?? 0);
    if (!(watchdogUs > 0)) return;
    // Twice in the time: one that comes late ends nobody.
    this.#watchdog = setInterval(() => this.#tell("WATCHDOG=1"), watchdogUs / 1000 / 2);
  }

  /** A datagram is sent from a socket with a name of its own. */
  #open(): void {
    for (const folder of ownFolders()) {
      const path = `${folder}/codis-notify-${crypto.randomUUID()}`;
      try {
        this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
        this.#path = path;
        return;
      } catch (error) {
        log.debug("{path} not made: {error}", { path, error });
      }
    }
    log.warn("the service manager will not be told that this process is ready");
  }

  /** The process serves; `status` is shown by systemctl status. */
  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
  }

  /** The process is about to end. */
  stopping(status: string): void {
    this.#tell(`STOPPING=1\nSTATUS=${status}`);
  }

  #tell(text: string): void {
    this.#socket?.send(new TextEncoder().encode(text), {
      transport: "unixpacket",
      path: this.#manager,
    }).catch((error) =>
      log.debug("the service manager was not told {text}: {error}", { text, error })
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watchdog);
    if (this.#socket === undefined) return;
    this.#socket.close();
    this.#socket = undefined;
    removeIfThere(this.#path);
  }
}
