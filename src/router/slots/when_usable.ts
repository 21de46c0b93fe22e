/**
 * Waits until slots can be used: one over a connection of a client's own, which the slot does not send over, or
 * several that are asked for all their keys.
 *
 * @module
 */

import { SLOT_NOT_READY, slotWaitedOut } from "../errors.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { Slot } from "./slot.ts";
import { isInDoubt } from "./slot_moves.ts";

/** Keys of one database, one character for each byte. */
export interface DatabaseKeys {
  readonly database: number;
  readonly keys: readonly string[];
}

/**
 * Calls `ready` once: as soon as the slot is open, or is migrating and all of these keys are at its new
 * server; or with an error text. Where keys may be used that are not named, only as soon as it is open.
 * What is sent in that call finds the slot as it was promised.
 */
export function whenUsable(
  slot: Slot,
  all: readonly DatabaseKeys[],
  waitMs: number,
  ready: (error: string) => void,
  usesUnnamedKeys = false,
): void {
  const wait = new Wait(waitMs, ready);
  const attempt = () => {
    if (wait.isOver) return;
    if (slot.state === "offline") return wait.end(SLOT_NOT_READY);
    if (slot.isMigrating && !usesUnnamedKeys) {
      return fetchKeys(
        slot,
        all,
        (error) => error === "" ? attempt() : wait.end(error),
        (error) => wait.end(error),
      );
    }
    if (slot.isOpen) return wait.end("");
    wait.limit(() => !slot.isOpen && (usesUnnamedKeys || !slot.isMigrating) ? slot : undefined);
    slot.whenOpen(attempt);
  };
  attempt();
}

/** A wait for slots, which ends once: with an error text, or none. */
class Wait {
  isOver = false;
  readonly #waitMs: number;
  readonly #ready: (error: string) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(waitMs: number, ready: (error: string) => void) {
    this.#waitMs = waitMs;
    this.#ready = ready;
  }

  end(error: string): void {
    this.isOver = true;
    clearTimeout(this.#timer);
    this.#ready(error);
  }

  /**
   * From the first call on it may take so long; then it is over if a slot is still waited for.
   *
   * @param waitedFor The slot that is waited for then; undefined for none.
   */
  limit(waitedFor: () => Slot | undefined): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const slot = waitedFor();
      if (!this.isOver && slot !== undefined) this.end(slotWaitedOut(slot.id, this.#waitMs));
    }, this.#waitMs);
  }
}

/**
 * Brings keys to the new server of a migrating slot.
 *
 * @param tryAgain Called when they have come, or with the first error, if some were missing.
 * @param here Called at once, when none is missing.
 */
function fetchKeys(
  slot: Slot,
  all: readonly DatabaseKeys[],
  tryAgain: (error: string) => void,
  here: (error: string) => void,
): void {
  let missing = 1;
  let firstError = "";
  let isAtOnce = true;
  const fetched = (error: string) => {
    if (firstError === "") firstError = error;
    if (--missing === 0 && !isAtOnce) tryAgain(firstError);
  };
  for (const { database, keys } of all) {
    for (const key of keys) if (!slot.fetchKey(database, latin1Bytes(key), fetched)) missing++;
  }
  missing--;
  isAtOnce = false;
  if (missing === 0) here("");
}

/** Calls `ready` once: as soon as none of these slots is in doubt, later if need be; or with an error text. */
export function whenSettled(
  slots: readonly Slot[],
  waitMs: number,
  ready: (error: string) => void,
): void {
  const wait = new Wait(waitMs, ready);
  const inDoubt = () => slots.find(isInDoubt);
  const attempt = () => {
    if (wait.isOver) return;
    const slot = inDoubt();
    if (slot === undefined) return wait.end("");
    wait.limit(inDoubt);
    slot.whenOpen(attempt);
  };
  attempt();
}
