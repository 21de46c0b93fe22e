/**
 * Sends slots round the groups through the dashboard, cancels some on the way, and sees to it that
 * every task comes to an end.
 *
 *      two groups ─ rebalance ─► four ─ ranges ─► four, all slots elsewhere ─ drain ─► three
 *          ▲                                                                             │ ranges
 *          └─────────── ranges ──────────── three, all slots elsewhere ◄─────────────────┘
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { MigrationView } from "../../../src/api/cluster_view.ts";
import { type Cluster, GROUPS, SLOTS } from "./cluster.ts";
import type { Dice } from "./operations.ts";

/** What is asked of migrations, and who hears of it. */
export interface MovesOptions {
  /** Slots that go round, from slot 0 on. */
  readonly slots: number;
  /** Tasks that are cancelled in each round. */
  readonly cancels: number;
  /** Most `delay` of a task, in milliseconds. */
  readonly delayMsMax: number;
  /** Whether the dashboard may be away. */
  readonly mayFail: boolean;
  /** Longest time in which no task comes to an end, in milliseconds. */
  readonly stuckMs: number;
  tell(text: string): void;
}

/** Slots that one request sends away. */
const RANGE = 64;
/** Time between two looks at what is left, in milliseconds. */
const LOOK_MS = 150;
/** Least and most time between two cancels, in milliseconds. */
const CANCEL_MS = [40, 400] as const;
/** Legs of a round in which there is something to cancel. */
const LEGS = 4;
/** Share of cancels that cancel everything, or let everything rest for a while. */
const SHARE = { all: 0.08, pause: 0.08 };

/** See the header. */
export class Moves {
  readonly #cluster: Cluster;
  readonly #dice: Dice;
  readonly #options: MovesOptions;
  /** Slots that were seen in another group than before. */
  slotsMoved = 0;
  cancelled = 0;
  #owners: readonly number[] = [];
  /** Tasks that were under way at the last look. */
  #underway: readonly MigrationView[] = [];

  constructor(cluster: Cluster, dice: Dice, options: MovesOptions) {
    this.#cluster = cluster;
    this.#dice = dice;
    this.#options = options;
  }

  /** Tasks whose slots have keys in two groups, or are about to. */
  get underway(): readonly MigrationView[] {
    return this.#underway;
  }

  /** One round; see the header. When only some slots go round, they do so by ranges. */
  async round(): Promise<void> {
    const all = [1, 2, 3, 4];
    const isWhole = this.#options.slots === SLOTS;
    if (isWhole) {
      await this.#leg("from 2 groups to 4", () => this.#ask("/api/rebalance", { by: "slots" }));
    }
    await this.#leg("all slots elsewhere", () => this.scatter(all));
    const left = this.#dice.between(1, GROUPS);
    const others = all.filter((group) => group !== left);
    if (isWhole) {
      await this.#leg(`from 4 groups to 3, without ${left}`, () => this.#drain(left));
    }
    await this.#leg("all slots elsewhere", () => this.scatter(others));
    await this.home();
  }

  /** Everything back to the first two groups; nothing is cancelled on the way. */
  async home(): Promise<void> {
    for (;;) {
      const { slots } = await this.#view();
      const away = [3, 4].filter((group) => slots.group.includes(group));
      if (away.length === 0) return;
      for (let from = 0; from < SLOTS; from += RANGE) {
        await this.#migrateRuns(from, (group) => group <= 2 ? group : 1 + from / RANGE % 2);
      }
      await this.settle();
    }
  }

  /** Sends every slot to another of these groups, a range at a time. */
  async scatter(groups: readonly number[]): Promise<void> {
    for (let from = 0; from < this.#options.slots; from += RANGE) {
      const step = this.#dice.between(1, groups.length - 1);
      await this.#migrateRuns(from, (group) => {
        return groups[(Math.max(0, groups.indexOf(group)) + step) % groups.length]!;
      });
    }
  }

  /** Sends the slots of a range to other groups, those with one owner and goal together. */
  async #migrateRuns(start: number, goalOf: (group: number) => number): Promise<void> {
    const { slots } = await this.#view();
    const end = Math.min(start + RANGE, this.#options.slots);
    for (let from = start; from < end;) {
      const group = slots.group[from]!;
      let to = from;
      while (to + 1 < end && slots.group[to + 1] === group) to++;
      if (goalOf(group) !== group) {
        await this.#ask("/api/migrate", {
          ...{ from, to, new_group: goalOf(group) },
          delay: this.#dice.below(this.#options.delayMsMax + 1),
        });
      }
      from = to + 1;
    }
  }

  async #drain(group: number): Promise<void> {
    await this.#ask(`/api/server_group/${group}/drain`);
  }

  async #leg(what: string, begin: () => Promise<void>): Promise<void> {
    this.#options.tell(what);
    await begin();
    const cancels = Math.ceil(this.#options.cancels / LEGS);
    await Promise.all([this.settle(), this.#cancelSome(cancels)]);
  }

  /** Asks for slots to be moved. What has been done already, or cannot be now, is let be. */
  async #ask(path: string, body?: unknown): Promise<void> {
    try {
      await this.#cluster.change("POST", path, body);
    } catch (error) {
      if (!this.#options.mayFail) throw error;
      this.#options.tell(`${(error as Error).message}`);
      await this.#view();
    }
  }

  /** Waits until there is no task. */
  async settle(): Promise<void> {
    let before = "";
    let sinceMs = performance.now();
    for (;;) {
      const { migrations, slots } = await this.#view();
      if (migrations.length === 0 && /^o*$/.test(slots.status)) return;
      const now = `${migrations.map(({ name }) => name)} ${slots.status} ${slots.group}`;
      if (now !== before) sinceMs = performance.now();
      before = now;
      if (performance.now() - sinceMs > this.#options.stuckMs) {
        const [first] = migrations;
        throw new Error(
          `${migrations.length} tasks do not go on for ${this.#options.stuckMs} ms, the first: ` +
            `${JSON.stringify(first)}; slots ${slots.status}`,
        );
      }
      await delay(LOOK_MS);
    }
  }

  /** The view; while the dashboard is away, the next one it gives. */
  async #view() {
    const endMs = performance.now() + this.#options.stuckMs;
    for (;;) {
      try {
        const view = await this.#cluster.view();
        this.#see(view.slots.group, view.migrations);
        return view;
      } catch (error) {
        if (!this.#options.mayFail || performance.now() > endMs) throw error;
        await delay(LOOK_MS);
      }
    }
  }

  #see(owners: readonly number[], migrations: readonly MigrationView[]): void {
    this.slotsMoved +=
      owners.filter((group, id) => this.#owners[id] !== undefined && this.#owners[id] !== group)
        .length;
    this.#owners = owners;
    this.#underway = migrations.filter(({ status }) => status !== "pending");
  }

  async #cancelSome(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await delay(this.#dice.between(...CANCEL_MS));
      try {
        const { migrations } = await this.#view();
        if (migrations.length === 0) return;
        await this.#cancel(migrations);
      } catch (error) {
        // It may have been done, or the dashboard may be gone, since we looked.
        const { message } = error as Error;
        if (!this.#options.mayFail && !/is not found/.test(message)) throw error;
      }
    }
  }

  async #cancel(migrations: readonly MigrationView[]): Promise<void> {
    let chance = this.#dice.random();
    if ((chance -= SHARE.all) < 0) {
      await this.#cluster.change("POST", "/api/migrate/cancel");
      this.cancelled += migrations.length;
    } else if ((chance -= SHARE.pause) < 0) {
      await this.#cluster.change("POST", "/api/migrate/pause");
      await delay(this.#dice.between(...CANCEL_MS));
      await this.#cluster.change("POST", "/api/migrate/resume");
    } else {
      const begun = migrations.filter(({ status }) => status !== "pending");
      const { name } = this.#dice.one(begun.length > 0 ? begun : migrations);
      await this.#cluster.change("DELETE", `/api/migrate/tasks/${name}`);
      this.cancelled++;
    }
  }
}
