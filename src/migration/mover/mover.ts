/**
 * What moves the keys of slots from one server to another: one interface, two ways.
 *
 *      both are codis-server     their own commands, slot by slot        codis_server_mover.ts
 *      else                      one SCAN for many slots, MIGRATE        stock_mover.ts
 *
 * @module
 */

import type { Secret } from "../../base/secret.ts";
import type { BigKeyList, BigKeyPolicy } from "../big_keys.ts";
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
  /** A key of at least this size is a big one, in bytes. */
  readonly bigKeyBytes: number;
  readonly bigKeyPolicy: BigKeyPolicy;
  /** Longest time that MIGRATE waits for the target at any moment, in milliseconds; the source stops so long. */
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
  /** Tells what operators should know of a slot while it moves; `""`: nothing any more. */
  note(slotId: number, text: string): void;
  /** Where a slot's big keys are listed. */
  bigKeys(slotId: number): BigKeyList | undefined;
}

/** What a look at the source's keys has come to. */
export interface RoundResult {
  /** Slots of which the source has no key: a look at all its keys, begun in `migrate`, has seen none. */
  readonly clean: readonly number[];
  /** Slots with keys that cannot be moved, and why. */
  readonly stuck: ReadonlyMap<number, string>;
  /** Slots with keys that are not to be moved, and why. */
  readonly refused: ReadonlyMap<number, string>;
}

/** Something keeps all keys from moving; the message says what, and at which server. */
export class MoveError extends Error {
  override readonly name = "MoveError";
}

/** See the header. Its methods are called one after the other. */
export interface SlotMover {
  readonly kind: "codis-server" | "stock";
  /**
   * Moves a key of our own from source to target: what keeps it would keep all others, and clients.
   *
   * @throws {MoveError | RedisUnreachableError}
   */
  tryOut(): Promise<void>;
  /**
   * Looks whether the target has keys of slots that are not its own, before they become so. A copy of
   * what the source has is deleted: the owner's counts.
   *
   * @param mayHaveOthers Whether keys that the source has not are as they should be: the slots are on
   * their way back.
   * @returns Slots with other keys, and a problem's text for each.
   * @throws {MoveError | RedisUnreachableError}
   */
  clearTarget(
    slotIds: readonly number[],
    mayHaveOthers: boolean,
  ): Promise<ReadonlyMap<number, string>>;
  /**
   * Looks for big keys of slots that have not begun: told before the first client can move one.
   *
   * @param slotIds Slots that are about to begin.
   * @param upcoming Slots that will come later: one look at the source serves all of them.
   * @returns Slots that must not begin, and why: a key of theirs is not to be moved.
   * @throws {MoveError | RedisUnreachableError}
   */
  survey(
    slotIds: readonly number[],
    upcoming: readonly number[],
  ): Promise<ReadonlyMap<number, string>>;
  /**
   * Ends what earlier moves may still bring to either server. The move locks of both must be closed.
   *
   * @param isInDoubt Whether an earlier move may have been given up.
   * @param turning Slots whose keys have gone the other way so far; all of them are blocked.
   * @throws {RedisError | RedisUnreachableError}
   */
  fence(isInDoubt: boolean, turning: readonly number[]): Promise<void>;
  /**
   * Moves what it finds of these slots' keys. Slots that are neither clean nor stuck after it need
   * another pass.
   *
   * @param slotIds Looked at again before each call: a slot taken out is moved no further.
   * @throws {MoveError | RedisUnreachableError} Keys may have been moved nevertheless.
   */
  pass(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<RoundResult>;
  /** Resolves when calls that are under way for a slot have ended. */
  settled(slotId: number): Promise<void>;
  /** Ends its connections. */
  close(): void;
}
