/**
 * The newest records of some kind, in memory and in the store: written by the dashboard that leads, and
 * taken over by the next one.
 *
 *     added, changed ─► memory ─► the pages that differ, with all else of this second ─► store
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { Operation } from "../coordinator/coordinator.ts";
import { NodeExistsError, NoNodeError } from "../coordinator/errors.ts";
import { loadRing, PAGE_RECORDS, pageOf, type PageRing } from "../store/page_rings.ts";
import { readIfThere, type Store } from "../store/store.ts";

/** Time between two tries to write, in milliseconds. */
const RETRY_MS = 5_000;

const log = logger("dashboard");

/** Writes to the store, as long as this dashboard leads. */
export type Transact = (operations: readonly Operation[]) => Promise<void>;

/** See the header. */
export class StoredRing<T extends { readonly seq: number }> {
  readonly #store: Store;
  readonly #ring: PageRing<T>;
  readonly #transact: Transact;
  /** Oldest first. */
  #records: T[] = [];
  /** The lowest number that is not in the store as it is here. */
  #unsaved = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = 0;
  #saving: Promise<void> = Promise.resolve();
  /** Whether the store's records are here: only while this dashboard leads. */
  #isLoaded = false;

  constructor(store: Store, ring: PageRing<T>, transact: Transact) {
    this.#store = store;
    this.#ring = ring;
    this.#transact = transact;
  }

  /** The records, oldest first. Borrows the list until the next one is added. */
  get records(): readonly T[] {
    return this.#records;
  }

  /** How many are kept. */
  get most(): number {
    return PAGE_RECORDS * this.#ring.pages;
  }

  /** Takes over from the dashboard that led before. */
  async load(): Promise<void> {
    const records = await loadRing(this.#store, this.#ring);
    const own = this.#records.filter(({ seq }) => seq >= this.#unsaved); // also of the meantime
    const next = (records.at(-1)?.seq ?? -1) + 1;
    // What was added since the start, while nobody led or another one did, comes behind it.
    this.#records = [...records, ...own.map((record, i) => ({ ...record, seq: next + i }))];
    this.#unsaved = next;
    this.#isLoaded = true;
    this.#saveSoon(0);
  }

  /** This dashboard does not lead any more. */
  unload(): void {
    this.#isLoaded = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Adds a record behind the others; the oldest one goes when there are too many.
   *
   * @param withinMs How long its write may wait for others, in milliseconds.
   */
  add(record: Omit<T, "seq">, withinMs: number): T {
    const seq = (this.#records.at(-1)?.seq ?? -1) + 1;
    const added = { ...record, seq } as T;
    this.#records.push(added);
    this.#records.splice(0, this.#records.length - this.most);
    this.#saveSoon(withinMs);
    return added;
  }

  /** Changes a record that is there; nothing happens when it has gone. */
  change(record: T, withinMs: number): void {
    const i = this.#records.findIndex(({ seq }) => seq === record.seq);
    if (i < 0) return;
    this.#records[i] = record;
    this.#unsaved = Math.min(this.#unsaved, record.seq);
    this.#saveSoon(withinMs);
  }

  /** Resolves when everything is in the store, or that has failed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isLoaded) await this.#save();
  }

  #saveSoon(ms: number): void {
    const dueMs = performance.now() + ms;
    if (!this.#isLoaded || (this.#timer !== undefined && this.#dueMs <= dueMs)) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#save();
    }, ms);
  }

  #save(): Promise<void> {
    return this.#saving = this.#saving.then(async () => {
      try {
        await this.#savePages();
      } catch (error) {
        log.debug("{path} is written later: {error}", {
          path: this.#ring.path(this.#store.paths, 0),
          error,
        });
        this.#saveSoon(RETRY_MS);
      }
    });
  }

  async #savePages(): Promise<void> {
    while (this.#isLoaded && this.#unsaved <= (this.#records.at(-1)?.seq ?? -1)) {
      const from = Math.max(this.#unsaved, this.#records[0]!.seq);
      const first = from - from % PAGE_RECORDS;
      const end = first + PAGE_RECORDS;
      const page = this.#records.filter(({ seq }) => seq >= first && seq < end);
      // Whatever is changed meanwhile lowers it again.
      this.#unsaved = page.at(-1)!.seq + 1;
      try {
        await this.#writePage(pageOf(this.#ring, first), this.#ring.encode(page));
      } catch (error) {
        this.#unsaved = Math.min(this.#unsaved, first);
        throw error;
      }
    }
  }

  async #writePage(page: number, data: string): Promise<void> {
    const path = this.#ring.path(this.#store.paths, page);
    const isThere = await readIfThere(this.#store, path) !== undefined;
    try {
      await this.#transact([
        isThere ? { write: path, data } : { create: path, data, isLeaf: true },
      ]);
    } catch (error) {
      const isRace = error instanceof NodeExistsError || error instanceof NoNodeError;
      if (!isRace) throw error;
      await this.#transact([
        isThere ? { create: path, data, isLeaf: true } : { write: path, data },
      ]);
    }
  }
}
