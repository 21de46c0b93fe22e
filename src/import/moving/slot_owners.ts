/**
 * Which source owns which slot, where slots move between sources while their changes are followed: as in the
 * groups of a product.
 *
 *     settled: changes of the owner are made
 *        │  ▲
 *        │  └── at rest, every source followed up to now, no other source has changed it for a while
 *        ▼
 *     unsettled: keys that change, at whatever source, are read where they are (moving_keys.ts)
 *
 * A slot is unsettled as soon as a source changes a key of it that is not its own. What moves a key writes it at
 * the new owner first, then deletes it at the old one. When the deletion comes here first, the key is missing
 * here until the new owner's changes come: who waits until every source was followed up to now sees it again.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { Placement } from "../../hash/placement.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { namesProbeKey } from "../../resp/probe_key.ts";
import { existing, type KeptKeys, keysOfTarget } from "../clear_keys.ts";
import type { ImportRun } from "../import_run.ts";
import type { ImportState } from "../import_state.ts";
import type { KeyChoice } from "../key_choice.ts";
import { SourceError } from "../source/replica_link.ts";
import type { SourceKey } from "../source/source_control.ts";
import type { SourceImport } from "../source_import.ts";
import type { KeyShare } from "../stream/key_marks.ts";
import type { Target } from "../target/target.ts";
import { MovingKeys, newOwner, type ReadSlots, type SlotPlace } from "./moving_keys.ts";

/** What slot owners work with. */
export interface SlotOwnersOptions {
  readonly placement: Placement;
  readonly choice: KeyChoice;
  readonly state: ImportState;
  readonly readSlots: ReadSlots;
  /** Makes the connections that moving keys are written with. */
  openTarget(): Promise<Target>;
  /** Opens a connection to ask the target; the caller closes it. */
  openConnection(): Promise<RedisConnection>;
  /** The databases of the target that have keys. */
  databases(): Promise<readonly number[]>;
}

const PERIOD_MS = 500;
/** So many periods later, all slots are looked at: one may have been given to another group by hand. */
const CHECK_PERIODS = 20;
/** A slot is not settled before no other source has changed it for so long. */
const QUIET_MS = 2_000;
/** How long sources may take to follow up to now, before it is tried again. */
const FOLLOW_MS = 10_000;
/** The target is not searched more often. */
const SWEEP_MS = 5_000;
/** The name of the owners in the state. */
const NOTE = "slots";

/** See the header. */
export class SlotOwners {
  readonly #options: SlotOwnersOptions;
  /** The source that owns each slot, or has owned it when it was settled; `""`: none. */
  readonly #owners: string[] = new Array(SLOT_COUNT).fill("");
  /** When each source has last changed a slot that is not settled, in monotonic milliseconds. */
  readonly #unsettled = new Map<number, Map<string, number>>();
  readonly #sources = new Map<string, SourceImport>();
  readonly #keys: MovingKeys;
  #sweptMs = -Infinity;

  private constructor(options: SlotOwnersOptions, target: Target) {
    this.#options = options;
    const { readSlots, choice } = options;
    this.#keys = new MovingKeys(readSlots, choice, target, this.#sources);
  }

  /** Reads where slots are. */
  static async open(options: SlotOwnersOptions): Promise<SlotOwners> {
    const found = new SlotOwners(options, await options.openTarget());
    const noted = options.state.noted(NOTE).split(",");
    for (const [slotId, { at, from }] of await options.readSlots(allSlots())) {
      const before = noted[slotId] ?? "";
      found.#owners[slotId] = before === "" ? at : before;
      if (from !== undefined || found.#owners[slotId] !== at) found.#unsettle(slotId);
    }
    found.#note();
    return found;
  }

  /** Which keys are a source's own. */
  shareOf(name: string): KeyShare {
    return {
      isMine: (bytes, start = 0, end = bytes.length) => {
        if (isProbe(bytes, start, end)) return false;
        return this.#isSettledAt(name, this.#options.placement.slotIdOf(bytes, start, end));
      },
      take: (database, bytes, start = 0, end = bytes.length) => {
        const { choice, placement } = this.#options;
        if (isProbe(bytes, start, end) || !choice.wants(database, bytes, start, end)) return;
        const slotId = placement.slotIdOf(bytes, start, end);
        this.#unsettle(slotId).set(name, performance.now());
        this.#keys.take(name, slotId, database, bytes, start, end);
      },
      flush: () => this.#keys.flush(),
    };
  }

  /** What stays when the keys of a source are deleted at the target: those of others, and those that move. */
  keptBeside(source: SourceImport): KeptKeys {
    const areOthers = (keys: readonly SourceKey[]) =>
      keys.map(({ database, key }) => {
        if (source.owns(key)) return false;
        const slotId = this.#options.placement.slotIdOf(key, 0, key.length);
        if (this.#unsettled.has(slotId)) source.share!.take(database, key);
        return true;
      });
    return {
      areOthers: (keys) => Promise.resolve(areOthers(keys)),
      deleted: async (keys) => {
        areOthers(keys);
        await this.#keys.flush();
      },
    };
  }

  /** Whether no slot moves, and all keys that have moved are stored; looks at all slots. */
  async isAtRest(): Promise<boolean> {
    await this.look();
    return this.#unsettled.size === 0 && this.#keys.isEmpty;
  }

  /**
   * Settles slots, until the run ends.
   *
   * @throws {ChangeError} When a slot has an owner that is no source.
   */
  async watch(run: ImportRun): Promise<void> {
    for (const source of run.sources) this.#sources.set(source.name, source);
    try {
      for (let period = 1; !run.isEnded; period++) {
        await delay(PERIOD_MS);
        try {
          if (period % CHECK_PERIODS === 0) await this.look();
          if (run.sources.every(({ phase }) => phase === "following")) await this.#settle(run);
        } catch (error) {
          // Those that follow the sources say so, and know how long to wait.
          if (!(error instanceof SourceError)) throw error;
        }
      }
    } finally {
      // Sources that end store what has come, also of keys that move. They end because of what is thrown here.
      Promise.allSettled(run.sources.map((source) => source.stopped)).then(() =>
        this.#keys.close()
      );
    }
  }

  #isSettledAt(name: string, slotId: number): boolean {
    return this.#owners[slotId] === name &&
      (this.#unsettled.size === 0 || !this.#unsettled.has(slotId));
  }

  #unsettle(slotId: number): Map<string, number> {
    let touched = this.#unsettled.get(slotId);
    if (touched === undefined) this.#unsettled.set(slotId, touched = new Map());
    return touched;
  }

  #note(): void {
    this.#options.state.note(NOTE, this.#owners.join(","));
  }

  /** Looks at all slots: one may have been given to another group, and no source says so. */
  async look(): Promise<void> {
    for (const [slotId, { at, from }] of await this.#options.readSlots(allSlots())) {
      if (from !== undefined || this.#owners[slotId] !== at) this.#unsettle(slotId);
    }
  }

  /** Settles the slots that are at rest. */
  async #settle(run: ImportRun): Promise<void> {
    if (this.#unsettled.size === 0) return;
    const resting = new Map<number, SlotPlace>();
    for (const [slotId, place] of await this.#options.readSlots([...this.#unsettled.keys()])) {
      if (place.from === undefined && this.#isQuiet(slotId, place.at)) resting.set(slotId, place);
    }
    for (const { at } of resting.values()) if (!this.#sources.has(at)) throw newOwner(at);
    const moved = new Map([...resting].filter(([slotId, { at }]) => this.#owners[slotId] !== at));
    if (moved.size > 0) {
      if (performance.now() - this.#sweptMs < SWEEP_MS) {
        for (const slotId of moved.keys()) resting.delete(slotId);
      } else await this.#sweep(moved);
    }
    if (resting.size === 0 || !await this.#followed(run)) return;
    await this.#keys.flush();
    await this.#keys.inTurn(async () => {
      const now = await this.#options.readSlots([...resting.keys()]);
      for (const [slotId, { at }] of resting) {
        const place = now.get(slotId);
        if (place?.at !== at || place.from !== undefined || !this.#isQuiet(slotId, at)) continue;
        this.#owners[slotId] = at;
        this.#unsettled.delete(slotId);
        // Its owner has changed them meanwhile, and reads them again itself.
        for (const key of this.#keys.giveUp(slotId)) this.#sources.get(at)?.follower?.defer(key);
      }
      this.#note();
    });
  }

  /** Whether only its owner has changed a slot for a while. */
  #isQuiet(slotId: number, owner: string): boolean {
    const touched = this.#unsettled.get(slotId);
    const before = performance.now() - QUIET_MS;
    return touched !== undefined &&
      [...touched].every(([name, atMs]) => name === owner || atMs < before);
  }

  /** Waits until all sources are followed up to now; false: they are not, within the time. */
  async #followed(run: ImportRun): Promise<boolean> {
    const goals = await Promise.all(run.sources.map((source) => source.control.offset()));
    const endMs = performance.now() + FOLLOW_MS;
    for (;;) {
      if (run.sources.some(({ phase }) => phase !== "following")) return false;
      if (run.sources.every(({ applied }, i) => applied >= goals[i]!)) return true;
      if (run.isEnded || performance.now() >= endMs) return false;
      await delay(50);
    }
  }

  /** Takes the keys that the target has in these slots, and their new owners have not. */
  async #sweep(moved: ReadonlyMap<number, SlotPlace>): Promise<void> {
    const { choice, placement } = this.#options;
    using target = await this.#options.openConnection();
    for (const database of await this.#options.databases()) {
      for await (const names of keysOfTarget(target, database)) {
        const keys = names.map((name) => choice.original(name)).filter((key) => key !== undefined);
        const byOwner = Map.groupBy(
          keys,
          (key) => this.#sources.get(moved.get(placement.slotIdOf(key, 0, key.length))?.at ?? ""),
        );
        for (const [owner, some] of byOwner) {
          if (owner === undefined) continue;
          const exist = await existing(owner, some.map((key) => ({ database, key })));
          for (const [i, key] of some.entries()) if (!exist[i]) owner.share!.take(database, key);
        }
      }
    }
    this.#sweptMs = performance.now();
  }
}

function allSlots(): number[] {
  return Array.from({ length: SLOT_COUNT }, (_, slotId) => slotId);
}

/** Probe keys are the migration's own. */
function isProbe(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[start] === 0 && namesProbeKey(bytes.subarray(start, end));
}
