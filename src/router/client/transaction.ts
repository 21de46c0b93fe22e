/**
 * The commands that a client has queued since MULTI, as the bytes that EXEC sends in one piece.
 *
 *      MULTI ─► queue: checked, answered +QUEUED ─┬─ EXEC ────► MULTI … EXEC to the server of its slot
 *                  └─ a command with an error ─┐  ├─ DISCARD ─► dropped
 *                                              └──┴─ EXEC ────► -EXECABORT
 *
 * A client has none while it is in no transaction. What the proxy answers itself is not in the piece: it is
 * executed after the server's part, and takes its place among the replies.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { enlarge, releaseChunk } from "../../io/chunk_pool.ts";
import { copyBytes } from "../../io/copy_bytes.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import type { ByteBudget } from "./byte_budget.ts";

const MULTI = encodeRequest(["MULTI"]);
const EXEC = encodeRequest(["EXEC"]);
/** What most transactions have room in, in bytes. */
const FIRST_BYTES = 512;

/** A queued command with which something is to be done after the server's part. */
export interface LaterCommand {
  /** Its place among the commands. */
  readonly place: number;
  readonly command: Command;
  readonly bytes: Uint8Array;
  /** The error that it gets instead of being executed; empty for most. */
  readonly refusal: string;
}

/** A queued command that all servers must execute: the transaction's own one does so in its place. */
export interface EverywhereCommand extends LaterCommand {
  readonly database: number;
}

/** One client's open transaction; see the drawing above. */
export class Transaction {
  #isAborted = false;
  #cause = "";
  /** Whether a queued command may change something at a server. */
  mayWrite = false;
  /** Whether EXEC waits for what servers have told its client, or has waited for that. */
  hearing: "no" | "waits" | "done" = "no";
  /** Whether a queued command runs a script. */
  runsScript = false;
  /** Whether its keys are in several slots: each server gets a part. */
  isSpread = false;
  /** The slot of all keys, or of the first one; -1 while no key was named. */
  slotId = -1;
  /** The database that SELECT has chosen in it; -1 while there was none. */
  database = -1;
  /** Which rules of the user's its commands were checked by. */
  userVersion = 0;
  /** All queued commands. */
  readonly commands: Command[] = [];
  /** Those that the proxy answers itself. */
  readonly later: LaterCommand[] = [];
  /** Those that the other servers execute afterwards, too. */
  readonly everywhere: EverywhereCommand[] = [];
  /** Whether it subscribes or unsubscribes, after the server's part. */
  isSubscribing = false;

  /** The slots of the channels that it publishes to. */
  readonly channelSlots: number[] = [];

  /** By which generation of the slot rules its keys are placed. */
  readonly placedBy: number;

  readonly #budget: ByteBudget;
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  #length = MULTI.length;
  #laterBytes = 0;
  #chargedBytes = 0;

  constructor(budget: ByteBudget, placedBy: number) {
    this.#budget = budget;
    this.placedBy = placedBy;
    copyBytes(this.#bytes, 0, MULTI, 0, MULTI.length);
  }

  /** Whether a command was refused: EXEC answers EXECABORT, and nothing is kept. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  /** Why, if the reason is the proxy's and not Redis's; else empty. */
  get cause(): string {
    return this.#cause;
  }

  /**
   * Nothing of it will be executed: gives its bytes back.
   *
   * @param cause Why, for EXEC to say, if the reason is the proxy's; empty for an error of Redis's, of which EXEC
   * says no more than Redis does. Of several causes, the first one stays.
   */
  abort(cause: string): void {
    this.#isAborted = true;
    if (this.#cause === "") this.#cause = cause;
    this.end();
  }

  /** How many commands the server gets, but for MULTI and EXEC. */
  get sentCommands(): number {
    return this.commands.length - this.later.length;
  }

  /** The commands that the server gets, in a list of their own. */
  sent(): Command[] {
    const places = new Set(this.later.map(({ place }) => place));
    return this.commands.filter((_, i) => !places.has(i));
  }

  /** At which places among those SELECT stands. */
  selects(): number[] {
    return this.sent().flatMap(({ name }, place) => name === "select" ? [place] : []);
  }

  /** Bytes held for it. */
  get heldBytes(): number {
    return this.#length + this.#laterBytes;
  }

  /** Queues a command for the server. Copies `bytes[start, end)`. */
  push(command: Command, bytes: Uint8Array, start: number, end: number): void {
    this.commands.push(command);
    if (command.caution !== "") this.runsScript = true;
    this.#append(bytes, start, end);
  }

  /** Queues a command that is executed here, after the server's part. Copies `bytes[start, end)`. */
  pushLater(command: Command, bytes: Uint8Array, start: number, end: number): void {
    this.later.push({
      place: this.commands.length,
      command,
      bytes: bytes.slice(start, end),
      refusal: "",
    });
    this.commands.push(command);
    this.#laterBytes += end - start;
    this.#charge(end - start);
  }

  /**
   * Queues a command for the server, and afterwards for all others. Copies `bytes[start, end)`.
   *
   * @param database The one in which it is executed.
   */
  pushEverywhere(
    command: Command,
    bytes: Uint8Array,
    start: number,
    end: number,
    database: number,
  ): void {
    const place = this.commands.length;
    this.everywhere.push({
      place,
      command,
      bytes: bytes.slice(start, end),
      refusal: "",
      database,
    });
    this.push(command, bytes, start, end);
    this.#laterBytes += end - start;
    this.#charge(end - start);
  }

  /** Keeps the place of a command that may not be executed any more. */
  pushRefused(command: Command, refusal: string): void {
    this.later.push({ place: this.commands.length, command, bytes: EMPTY, refusal });
    this.commands.push(command);
  }

  /** A transaction with nothing queued, and otherwise like this one. */
  copyOfFrame(): Transaction {
    const copy = new Transaction(this.#budget, this.placedBy);
    copy.isSpread = this.isSpread;
    copy.mayWrite = this.mayWrite;
    copy.slotId = this.slotId;
    copy.isSubscribing = this.isSubscribing;
    copy.channelSlots.push(...this.channelSlots);
    return copy;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    const total = this.#length + end - start;
    if (total > this.#bytes.length) {
      const size = Math.max(total, 2 * this.#bytes.length);
      this.#bytes = enlarge(this.#bytes, this.#length, size);
    }
    copyBytes(this.#bytes, this.#length, bytes, start, end);
    this.#length = total;
    this.#charge(end - start);
  }

  #charge(bytes: number): void {
    this.#chargedBytes += bytes;
    this.#budget.charge(bytes);
  }

  /** The queued requests one after the other, without MULTI and EXEC. Borrowed until it ends. */
  get queuedBytes(): Uint8Array {
    return this.#bytes.subarray(MULTI.length, this.#length);
  }

  /**
   * All that the server gets, from MULTI to EXEC. Borrowed until the transaction ends.
   *
   * @param last What is to come before EXEC.
   */
  piece(last: Uint8Array): Uint8Array {
    const total = this.#length + last.length + EXEC.length;
    if (total > this.#bytes.length) this.#bytes = enlarge(this.#bytes, this.#length, total);
    this.#bytes.set(last, this.#length);
    this.#bytes.set(EXEC, this.#length + last.length);
    return this.#bytes.subarray(0, total);
  }

  /** It was sent or dropped: gives its bytes back. */
  end(): void {
    this.#budget.release(this.#chargedBytes);
    this.#chargedBytes = 0;
    releaseChunk(this.#bytes);
    this.#bytes = EMPTY;
    this.#length = 0;
    this.#laterBytes = 0;
  }
}

const EMPTY = new Uint8Array(0);
