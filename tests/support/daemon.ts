/**
 * A server that outlives the test that started it: all tests of a file share it.
 *
 * It is no child of the test process, so that no test is blamed for what it leaves open; a shell
 * beside it ends it when the test process is gone, however that ended.
 *
 * @module
 */

import { delay } from "@std/async/delay";

/** Starts "$@" with its output in $LOG, tells its pid, and stays until it or $OWNER has ended. */
const KEEPER = `
"$@" >>"$LOG" 2>&1 </dev/null &
pid=$!
echo $pid
exec >/dev/null 2>&1
while kill -0 "$OWNER" && kill -0 $pid; do sleep 1; done &
wait $!
kill -0 "$OWNER" || { kill -9 $pid; rm -rf "$FOLDER"; }
`;

/** How often a signalled process is asked whether it is gone, in milliseconds. */
const GONE_PERIOD_MS = 20;

/** Where a daemon lives. */
export interface DaemonPlace {
  /** Its temporary folder, removed with the last of its owner. */
  readonly folder: string;
  /** The file that its output goes to. */
  readonly log: string;
}

/** A running program that nobody waits for. */
export class Daemon {
  readonly pid: number;

  private constructor(pid: number) {
    this.pid = pid;
  }

  /** Starts a program; whether it is ready is for the caller to find out. */
  static async start(words: readonly string[], place: DaemonPlace): Promise<Daemon> {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `setsid sh -c "$KEEPER" keeper "$@" &`, "sh", ...words],
      env: { KEEPER, LOG: place.log, FOLDER: place.folder, OWNER: `${Deno.pid}` },
      stdin: "null",
      stderr: "inherit",
    }).output();
    return new Daemon(Number(new TextDecoder().decode(stdout)));
  }

  /** Stops it for a while, and waits until no thread of it runs. */
  async pause(): Promise<void> {
    await this.signal("STOP");
    while (!await this.#isStopped()) {
      await delay(1);
    }
  }

  async #isStopped(): Promise<boolean> {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", 'cat /proc/"$1"/task/*/stat', "sh", `${this.pid}`],
      stderr: "null",
    }).output();
    // `pid (name) state …`
    const threads = new TextDecoder().decode(stdout).trimEnd().split("\n");
    return threads.every((thread) => /\) [TZX] /.test(thread));
  }

  /** Sends a signal. */
  async signal(name: "TERM" | "KILL" | "STOP" | "CONT"): Promise<void> {
    await new Deno.Command("sh", signalCommand(name, this.pid)).output();
  }

  /** Sends a signal and waits for the end. */
  async end(name: "TERM" | "KILL"): Promise<void> {
    await this.signal(name);
    while (await this.isAlive()) {
      await delay(GONE_PERIOD_MS);
    }
  }

  /** Whether it still runs. */
  async isAlive(): Promise<boolean> {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", 'kill -0 "$1"', "sh", `${this.pid}`],
      stderr: "null",
    }).output();
    return success;
  }

  /** Kills it without waiting; for when the test process itself ends. */
  killNow(): void {
    new Deno.Command("sh", signalCommand("KILL", this.pid)).outputSync();
  }
}

function signalCommand(name: string, pid: number): Deno.CommandOptions {
  return { args: ["-c", 'kill "-$1" "$2"', "sh", name, `${pid}`], stderr: "null" };
}
