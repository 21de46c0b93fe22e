/**
 * Moves single keys of a migrating slot to their new server before a command uses them.
 *
 *      key ─► moved before? ─► on its way? ─ wait ─► ask the source ─► all that wait go on
 *
 * codis-server moves a key, and every key of the same tag, with SLOTSMGRTTAGONE; stock Redis moves
 * the named keys with MIGRATE. Which one a server is, its answer to the first move tells. However
 * many sessions name a key, it is asked for once at a time, and never again after it was moved: from
 * the moment a slot is migrating nobody writes to the source any more.
 *
 * The rule on stock Redis that keeps every acknowledged write: MIGRATE never replaces. The source's
 * copy counts until the target has one; from then on the target's does, and the source's is dropped.
 *
 *      MIGRATE says   the key is                     so
 *      OK, NOKEY      at the target, or nowhere      the command goes to the target
 *      BUSYKEY        at both: a move broke off      the source's copy is dropped, then as OK: the target's
 *                     half-way, or the source came   is the same, or newer
 *                     back with old data
 *      IOERR, or the  perhaps at both, perhaps       late copies are ended first (late_copies.ts), then
 *      source is lost still on its way               it is asked once more; a late copy cannot replace
 *                                                    what clients wrote, nor bring back what they deleted
 *      another error  at the source                  the command fails, the next one tries again
 *
 * Codis 3.2's server can move a key in chunks, while it goes on. That is what the dashboard does with big
 * keys, and until it has, they are used where they are (migrating.ts). Small ones never move so, nor big ones
 * whole: a copy in chunks would overwrite what clients write at the target meanwhile. A small key does not
 * grow big at the source, because every command moves it first; and one that was found to be big is taken
 * for big until it is gone. Only a command that needs a big key together with others has it moved.
 *
 * codis-server's own commands do replace; there the guard against late copies is all that helps. And unlike
 * MIGRATE they say IOERR at once when the connection that codis-server kept from an earlier move is
 * closed at the other end, for whatever reason: nothing was sent then, and they are asked again.
 *
 * Each router asks for itself, so other workers of this proxy may ask for the same key at the same time,
 * just as other proxies may. The source does one after the other: the first move takes the key, every
 * later one finds NOKEY (0 keys, with codis-server), which says the same: it is not at the source any more.
 * After BUSYKEY several may drop the source's copy, which is one copy in any case. None of this depends on
 * which router asked, because the slot was blocked in every router of every proxy before it was migrating in any.
 * The guard is each router's own, too: it guards the keys that this router moves.
 *
 * @module
 */

import { isWrongPassword } from "../../base/secret.ts";
import { BIG_ELEMENTS, CHUNKS, SIZE_COMMANDS } from "../../resp/big_key.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import { latin1Bytes as bytesOf } from "../../resp/latin1.ts";
import type { Backend } from "../backends/backend.ts";
import { askServer } from "../backends/question.ts";
import type { Server } from "../backends/server.ts";
import { moveFailed } from "../errors.ts";
import { moverLogin, passwordsOf } from "../options.ts";
import type { FlightCounter } from "../request.ts";

/** Codis 2.0's timeout of SLOTSMGRTTAGONE, in milliseconds. */
const TAG_MOVE_MS = 3_000;
/** Pause before another try to have a key moved in chunks, in milliseconds. */
const CHUNKS_REST_MS = 20;
/** How long a command waits for its big keys, in milliseconds. */
const CHUNKS_PATIENCE_MS = 60_000;
/** The same where the target closes the connection, as one does that is full. */
const CLOSED_PATIENCE_MS = 5_000;

/** An IOERR that comes sooner, in milliseconds, means that the connection had been closed before. */
const LATE_MS = TAG_MOVE_MS / 2;
/** How often a key is asked for at most that finds connections closed: several may be, one by one. */
const CLOSED_TRIES = 4;
/** How often it is asked for at most whose moves may have been given up half-way. */
const DOUBTFUL_TRIES = 2;
/** How long MIGRATE may wait for the target at any moment, in milliseconds. */
const MIGRATE_MS = 5_000;
/** Moved keys that a slot remembers; past it, it forgets and asks again. */
const MOVED_KEYS_MAX = 65_536;

/** Called when a key may be used: with an empty string, or with the error that kept it. */
export type Moved = (error: string) => void;

/**
 * What the source is asked to do: codis-server's move, stock Redis's, to forget its copy; or what type and
 * size a key has, and to move it in chunks. `probe` and `kind` ask a server whether it moves in chunks, and
 * whether it is a codis-server.
 */
type MoveKind = "tag" | "migrate" | "drop" | "probe" | "kind" | "type" | "size" | "chunks";

/** A request that waits for a key. */
interface Waiter {
  /** Whether it can use a big key where it is. */
  readonly mayStay: boolean;
  readonly moved: Moved;
}

/** One question to the source, for one key or several. */
interface Move {
  readonly database: number;
  readonly keys: readonly string[];
  readonly kind: MoveKind;
  /** How often it was asked before, without a known outcome. */
  readonly tries: number;
  /** Which of the target's passwords was given, in the order in which they are tried. */
  readonly passwordAt: number;
  /** When it was asked, in monotonic milliseconds. */
  readonly sentMs: number;
}

/** The moves of one migrating slot. */
export class KeyFetch {
  readonly #slot: FlightCounter;
  readonly #source: Server;
  readonly #target: Server;
  readonly #moved = new Set<string>();
  readonly #waiting = new Map<string, Waiter[]>();
  /** Keys that were found to be big, at the source. */
  readonly #big = new Set<string>();
  #isStopped = false;

  constructor(slot: FlightCounter, source: Server, target: Server) {
    this.#slot = slot;
    this.#source = source;
    this.#target = target;
  }

  /**
   * Brings keys to the target.
   *
   * @param keys The keys as latin1 strings, one character per byte.
   * @param mayStay Whether big ones may stay at the source; then {@linkcode KeyFetch.isBig} says which.
   * @param moved Called once per key that is not known to be there; not at all for the others.
   * @returns How many times `moved` will be called; 0 when every key is there.
   */
  move(database: number, keys: readonly string[], mayStay: boolean, moved: Moved): number {
    let count = 0;
    const asked: string[] = [];
    for (const key of keys) {
      const id = idOf(database, key);
      if (this.#moved.has(id) || (mayStay && this.#big.has(id))) continue;
      count++;
      const waiting = this.#waiting.get(id);
      if (waiting !== undefined) {
        waiting.push({ mayStay, moved });
      } else {
        this.#waiting.set(id, [{ mayStay, moved }]);
        asked.push(key);
      }
    }
    if (asked.length > 0) this.#ask(database, asked);
    return count;
  }

  /** Whether a key stays at the source until it was moved in chunks. */
  isBig(database: number, key: string): boolean {
    return this.#big.has(idOf(database, key));
  }

  /** A key that was big is not at the source any more. */
  arrived(database: number, key: string): void {
    const id = idOf(database, key);
    this.#big.delete(id);
    this.#remember(id);
  }

  /** The slot changes hands: nothing more is asked for requests that still wait. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Sends the source's own kind of question, once no earlier one is in doubt. */
  #ask(database: number, keys: readonly string[], tries = 0): void {
    const { lateCopies } = this.#target;
    if (lateCopies.isActive) {
      return lateCopies.whenClear((error) => {
        // What waits here no longer belongs to this slot's queue, or is sent to the slot anew.
        if (this.#isStopped) this.#settle(database, keys, "");
        else if (error === "") this.#ask(database, keys, tries);
        else this.#settle(database, keys, error);
      });
    }
    if (this.#unknown !== undefined) {
      const words = ["SLOTSMGRT-ASYNC-STATUS"];
      return this.#sendProbe(this.#unknown, moveOf(database, keys, "probe", tries), words);
    }
    const isLeaving = !this.movesTags && this.#source.mover !== "stock";
    switch (isLeaving ? "leaving" : this.#source.mover) {
      case "stock":
        return this.#askStock(database, keys, tries);
      case "leaving":
        for (const key of keys) this.#askLeaving(database, key, tries);
        return;
      case "chunks":
        for (const key of keys) {
          if (this.#big.has(idOf(database, key))) this.#inChunks(database, key, performance.now());
          else this.#send(moveOf(database, [key], "type", tries), ["TYPE", bytesOf(key)]);
        }
        return;
      case "codis":
        return this.#askCodis("SLOTSMGRTTAGONE", database, keys, tries);
    }
  }

  /** Whether the target takes whole tags, as codis-servers send them. */
  get movesTags(): boolean {
    return this.#target.mover === "codis" || this.#target.mover === "chunks";
  }

  /** The server of which it has to be known first what it is. From stock Redis keys go to stock Redis only. */
  get #unknown(): Server | undefined {
    if (this.#source.mover === "unknown") return this.#source;
    return this.#source.mover !== "stock" && this.#target.mover === "unknown"
      ? this.#target
      : undefined;
  }

  #sendProbe(server: Server, move: Move, words: readonly string[]): void {
    this.#send(move, words, server.moverBackend(move.database), undefined, server);
  }

  /** @param server Whom it was asked. */
  #probed(server: Server, move: Move, isError: boolean): void {
    const { database, keys, tries } = move;
    if (!isError) server.mover = move.kind === "probe" ? "chunks" : "codis";
    else if (move.kind === "kind") server.mover = "stock";
    else return this.#sendProbe(server, { ...move, kind: "kind" }, ["SLOTSHASHKEY", "a"]);
    this.#ask(database, keys, tries);
  }

  /** Of a codis-server to stock Redis: with the MIGRATE of Redis 2.8, which knows one key and no password. */
  #askLeaving(database: number, key: string, tries: number): void {
    const { hostname, port } = this.#target;
    this.#send(
      moveOf(database, [key], "migrate", tries),
      [
        ...["MIGRATE", hostname, String(port)],
        ...[bytesOf(key), String(database), String(MIGRATE_MS)],
      ],
    );
  }

  #askCodis(command: string, database: number, keys: readonly string[], tries: number): void {
    const { hostname, port } = this.#target;
    for (const key of keys) {
      this.#send(
        moveOf(database, [key], "tag", tries),
        [command, hostname, String(port), String(TAG_MOVE_MS), bytesOf(key)],
      );
    }
  }

  /** A key that is at the source was found to be big: what can use it there goes on. */
  #isBigOne(database: number, key: string): void {
    const id = idOf(database, key);
    const waiting = this.#waiting.get(id) ?? [];
    const others = waiting.filter(({ mayStay }) => !mayStay);
    this.#big.add(id);
    if (others.length === 0) {
      this.#waiting.delete(id);
    } else {
      this.#waiting.set(id, others);
      this.#inChunks(database, key, performance.now());
    }
    for (const { mayStay, moved } of waiting) if (mayStay) moved("");
  }

  /** Moves a big key that a command needs with others. The answer comes out of order: it goes alone. */
  #inChunks(database: number, key: string, sinceMs: number): void {
    if (this.#isStopped) return this.#settle(database, [key], "");
    const again = () => this.#inChunks(database, key, sinceMs);
    const { lateCopies } = this.#target;
    if (lateCopies.isActive) {
      return lateCopies.whenClear((error) => {
        if (error === "") again();
        else this.#settle(database, [key], error);
      });
    }
    const backend = this.#source.borrowPrivate(database, 2, { resume: again }, true);
    if (backend === null) return;
    const { hostname, port } = this.#target;
    const move = { ...moveOf(database, [key], "chunks", 0), sentMs: sinceMs };
    const words = [hostname, String(port), ...CHUNKS, bytesOf(key)];
    this.#send(move, ["SLOTSMGRTONE-ASYNC", ...words], backend, () => {
      this.#source.returnPrivate(backend);
    });
  }

  /** @param text What the source said of a move in chunks, or why it said nothing. */
  #chunksFailed({ database, keys, sentMs }: Move, text: string): void {
    // Others may have a key of the database on its way, or the target one of its own.
    if (!/is being migrated|previous operation|^ERR interrupted/.test(text)) {
      return this.#settle(database, keys, moveFailed(this.#slot.id, this.#source.address, text));
    }
    const isClosed = /connection closed/.test(text);
    if (text.startsWith("ERR interrupted") && !isClosed) this.#target.lateCopies.suspect();
    if (performance.now() - sentMs > (isClosed ? CLOSED_PATIENCE_MS : CHUNKS_PATIENCE_MS)) {
      return this.#settle(database, keys, moveFailed(this.#slot.id, this.#source.address, text));
    }
    setTimeout(() => this.#inChunks(database, keys[0]!, sentMs), CHUNKS_REST_MS);
  }

  #askStock(database: number, keys: readonly string[], tries: number, passwordAt = 0): void {
    const { hostname, port, options } = this.#target;
    const login = moverLogin(options);
    const [user, password] = [login.user, passwordsOf(login)[passwordAt]];
    const auth = password === undefined
      ? []
      : user === ""
      ? ["AUTH", password]
      : ["AUTH2", user, password];
    const where = [hostname, String(port), "", String(database), String(MIGRATE_MS)];
    this.#send(
      { ...moveOf(database, keys, "migrate", tries), passwordAt },
      ["MIGRATE", ...where, ...auth, "KEYS", ...keys.map(bytesOf)],
    );
  }

  /** The target has a copy: the source's is none any more. */
  #drop(database: number, key: string): void {
    this.#send(
      moveOf(database, [key], "drop", 0),
      ["DEL", bytesOf(key)],
    );
  }

  /** @param settled Called before the answer is acted on. */
  #send(
    move: Move,
    words: readonly (string | Uint8Array)[],
    backend: Backend = this.#source.moverBackend(move.database),
    settled: () => void = () => {},
    server: Server = this.#source,
  ): void {
    // The slot counts the question until the answer was acted on.
    askServer(backend, encodeRequest(words), (text, isReply) => {
      settled();
      if (isReply) return this.#answered(move, text, server);
      // It may have been asked, and may be doing it now.
      if (text.startsWith("ERR handle response")) this.#target.lateCopies.suspect();
      this.#settle(move.database, move.keys, text);
    }, this.#slot);
  }

  #answered(move: Move, reply: string, server: Server): void {
    const { database, keys, kind, tries } = move;
    const type = reply[0];
    const text = reply.slice(1).trim();
    const isError = type === "-";
    if (kind === "probe" || kind === "kind") {
      if (!isError || /^ERR unknown command/i.test(text)) {
        return this.#probed(server, move, isError);
      }
      return this.#settle(database, keys, moveFailed(this.#slot.id, server.address, text));
    }
    if (kind === "type" && !isError) {
      if (text === "none") return this.#settle(database, keys, "");
      const size = SIZE_COMMANDS[text];
      if (size === undefined) return this.#askCodis("SLOTSMGRTONE", database, keys, tries);
      return this.#send(moveOf(database, keys, "size", tries), [size, bytesOf(keys[0]!)]);
    }
    if (kind === "size" && !isError) {
      if (Number(text) >= BIG_ELEMENTS) return this.#isBigOne(database, keys[0]!);
      return this.#askCodis("SLOTSMGRTONE", database, keys, tries);
    }
    if (kind === "size" && tries + 1 < CLOSED_TRIES) return this.#ask(database, keys, tries + 1);
    if (kind === "chunks" && isError) return this.#chunksFailed(move, text);
    // An integer from codis-server, however many keys moved; +OK or +NOKEY from stock Redis.
    if (type === ":" || type === "+") {
      if (kind === "chunks") this.#big.delete(idOf(database, keys[0]!));
      return this.#settle(database, keys, "");
    }
    if (kind === "migrate" && text.includes("BUSYKEY")) {
      if (keys.length === 1) return this.#drop(database, keys[0]!);
      // Some of them have moved, and MIGRATE does not say which.
      for (const key of keys) this.#askStock(database, [key], tries);
      return;
    }
    if (kind === "migrate" && isWrongPassword(text)) {
      const next = move.passwordAt + 1;
      const { length } = passwordsOf(moverLogin(this.#target.options));
      if (next < length) return this.#askStock(database, keys, tries, next);
    }
    if (text.startsWith("IOERR")) {
      const isInDoubt = kind !== "tag" || performance.now() - move.sentMs >= LATE_MS;
      if (isInDoubt) this.#target.lateCopies.suspect();
      if (tries + 1 < (isInDoubt ? DOUBTFUL_TRIES : CLOSED_TRIES)) {
        return this.#ask(database, keys, tries + 1);
      }
    }
    this.#settle(database, keys, moveFailed(this.#slot.id, this.#source.address, text));
  }

  #settle(database: number, keys: readonly string[], error: string): void {
    for (const key of keys) {
      const id = idOf(database, key);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === "") this.#remember(id);
      for (const { moved } of waiting ?? []) moved(error);
    }
  }

  #remember(id: string): void {
    if (this.#moved.size >= MOVED_KEYS_MAX) this.#moved.clear();
    this.#moved.add(id);
  }
}

function moveOf(database: number, keys: readonly string[], kind: MoveKind, tries: number): Move {
  return { database, keys, kind, tries, passwordAt: 0, sentMs: performance.now() };
}

function idOf(database: number, key: string): string {
  return `${database}:${key}`;
}
