/**
 * Moves the keys of slots from one server to another: one interface, two implementations.
 *
 *      both servers are codis-server     their own commands, slot by slot        codis_server.ts
 *      both are stock                    one SCAN for many slots, MIGRATE        stock.ts
 *      from codis-server to stock        the same, but one key in each MIGRATE
 *
 * @module
 */

import type { Secret } from "../../base/secret.ts";
import type { BigKeyList, BigKeyPolicy } from "../big_key_list.ts";
import type { Control } from "../../control/control.ts";
import type { MoveProgress } from "../progress.ts";
import type { Throttle } from "../throttle.ts";
import type { MoveLock } from "./move_lock.ts";

/** The servers between which keys are moved. */
export interface MovePair {
  /** `host:port` of the master that has the keys. */
  readonly source: string;
  /** `host:port` of the master that gets them. */
  readonly target: string;
}

/** How keys are moved. */
export interface MoveOptions {
  /** User with which a source logs in at a target; `""`: the default user. */
  readonly user: string;
  /** Password with which a source logs in at a target. */
  readonly password: Secret;
  /** A key of at least this size is a big key, in bytes. */
  readonly bigKeyBytes: number;
  readonly bigKeyPolicy: BigKeyPolicy;
  /** Longest time that MIGRATE waits for the target, in milliseconds; the source stops meanwhile. */
  readonly migrateMs: number;
}

/** What a mover works with. */
export interface MoveContext {
  readonly control: Control;
  readonly pair: MovePair;
  readonly options: MoveOptions;
  readonly throttle: Throttle;
  /** The move lock of a server, by address. */
  moveLock(addr: string): MoveLock;
  /** Where a slot's keys are counted. */
  progress(slotId: number): MoveProgress | undefined;
  /** Slots that are being opened: their keys will move soon. */
  coming(): ReadonlySet<number>;
  /** Resolves when some of them have been opened, or no more are. */
  someOpened(): Promise<void>;
  /** Sets what operators should know of a slot while it moves; `""`: nothing. */
  note(slotId: number, text: string): void;
  /** Where a slot's big keys are listed. */
  bigKeys(slotId: number): BigKeyList | undefined;
}

/**
 * Slots that are in `migrate` at once while clients use the servers: the first request for each of their
 * keys costs a round trip more.
 */
export const SLOTS_AT_ONCE = 256;

/** What one round over the source's keys has found. */
export interface RoundResult {
  /** Slots of which the source has no key: a scan of all its keys, started in `migrate`, saw none. */
  readonly clean: readonly number[];
  /** Slots with keys that cannot be moved, and why. */
  readonly stuck: ReadonlyMap<number, string>;
  /** Slots with keys that must not be moved, and why. */
  readonly refused: ReadonlyMap<number, string>;
}

/** No key can be moved; the message says why, and at which server. */
export class MoveError extends Error {
  override readonly name = "MoveError";
}

/** See the header. Its methods are called one after the other. */
export interface SlotMover {
  readonly kind: "codis-server" | "stock";
  /** Whether a round finds keys of slots that are being opened, too: then it need not wait for them. */
  readonly scansAhead: boolean;
  /**
   * How many slots had best be in `migrate` at once.
   *
   * @throws {RedisError | RedisUnreachableError}
   */
  slotsAtOnce(): Promise<number>;
  /**
   * Moves a probe key from source to target: what keeps it would keep all other keys, and clients.
   *
   * @throws {MoveError | RedisUnreachableError}
   */
  probe(): Promise<void>;
  /**
   * Looks for keys of slots at the target before the target gets these slots. Copies of what the source
   * has are deleted: the source's keys count.
   *
   * @param mayHaveKeys Whether keys that only the target has are right: the slots go back there.
   * @returns Slots with orphan keys, and a problem's text for each.
   * @throws {MoveError | RedisUnreachableError}
   */
  clearTarget(
    slotIds: readonly number[],
    mayHaveKeys: boolean,
  ): Promise<ReadonlyMap<number, string>>;
  /**
   * Looks for big keys of slots that have not started: they are reported before the first client can
   * move one.
   *
   * @param slotIds Slots that are about to start.
   * @param upcoming Slots that will come later: one scan of the source serves all of them.
   * @returns Slots that must not start, and why: a key of theirs must not be moved.
   * @throws {MoveError | RedisUnreachableError}
   */
  findBigKeys(
    slotIds: readonly number[],
    upcoming: readonly number[],
  ): Promise<ReadonlyMap<number, string>>;
  /**
   * Ends what earlier moves may still bring to either server. The caller holds the locks of both.
   *
   * @param mayHaveLateCopies Whether an earlier move may have been given up.
   * @param reversing Slots whose keys have moved the other way so far; all of them are blocked.
   * @throws {RedisError | RedisUnreachableError}
   */
  endLateCopies(mayHaveLateCopies: boolean, reversing: readonly number[]): Promise<void>;
  /**
   * Moves keys of these slots that it finds. Slots that are neither clean nor stuck after it need another
   * round.
   *
   * @param slotIds Read again before each call: of a slot that was taken out no more keys move.
   * @throws {MoveError | RedisUnreachableError} Some keys may have been moved.
   */
  moveRound(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<RoundResult>;
  /** Resolves when no call for a slot is under way. */
  settled(slotId: number): Promise<void>;
  /** Closes its connections. */
  close(): void;
}
