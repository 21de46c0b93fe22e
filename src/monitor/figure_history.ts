/**
 * The figures of the last week, in memory and in three files that are written again and again.
 *
 *     monitor ── every 2 s ──► rings of 1 h, 24 h and 7 d ── every minute, or 15 ──► history_dir/product.1h …
 *
 * A restart, of whatever dashboard of this machine, begins with what the files have.
 *
 * @module
 */

import type { FiguresSpan, FiguresView } from "../api/cluster_view.ts";
import { logger } from "../base/log.ts";
import { FigureRing, type Figures, SPANS } from "./figure_ring.ts";

/** How often each file is written, in milliseconds. */
const WRITE_MS: Readonly<Record<FiguresSpan, number>> = {
  "1h": 60_000,
  "24h": 120_000,
  "7d": 900_000,
};

const log = logger("dashboard");

/** The spans, the shortest first. */
export const FIGURES_SPANS = Object.keys(SPANS) as readonly FiguresSpan[];

/** See the header. */
export class FigureHistory {
  readonly #dir: string;
  readonly #product: string;
  readonly #rings: ReadonlyMap<FiguresSpan, FigureRing>;
  readonly #writtenAt = new Map<FiguresSpan, number>();
  #isWarned = false;

  /** @param dir The folder of the files; `""`: there are none, and a restart forgets everything. */
  constructor(dir: string, product: string) {
    this.#dir = dir;
    this.#product = product;
    this.#rings = new Map(FIGURES_SPANS.map((span) => [span, new FigureRing(SPANS[span])]));
  }

  /** Reads the files. One that cannot be read is begun anew. */
  async load(): Promise<void> {
    if (this.#dir === "") return;
    for (const [span, ring] of this.#rings) {
      const file = this.#file(span);
      try {
        ring.decode(await Deno.readFile(file));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        log.warn("{file} cannot be used, and its history begins anew: {error}", { file, error });
      }
    }
  }

  /** Adds what was seen at a time, Unix milliseconds, and writes the files that are due. */
  async add(at: number, figures: Figures): Promise<void> {
    for (const [span, ring] of this.#rings) {
      ring.add(at, figures);
      const due = (this.#writtenAt.get(span) ?? 0) + WRITE_MS[span];
      if (this.#dir === "" || at < due) continue;
      this.#writtenAt.set(span, at);
      try {
        await Deno.mkdir(this.#dir, { recursive: true });
        await Deno.writeFile(`${this.#file(span)}.unfinished`, ring.encode());
        await Deno.rename(`${this.#file(span)}.unfinished`, this.#file(span));
        this.#isWarned = false;
      } catch (error) {
        this.#warn(error);
      }
    }
  }

  /** Writes all files now. */
  flush(): void {
    if (this.#dir === "") return;
    try {
      Deno.mkdirSync(this.#dir, { recursive: true });
      for (const [span, ring] of this.#rings) {
        if (ring.size === 0) continue;
        Deno.writeFileSync(`${this.#file(span)}.last`, ring.encode());
        Deno.renameSync(`${this.#file(span)}.last`, this.#file(span));
      }
    } catch (error) {
      this.#warn(error);
    }
  }

  /** What is known of a subject. */
  view(subject: string, span: FiguresSpan): FiguresView {
    return this.#rings.get(span)!.view(subject);
  }

  #file(span: FiguresSpan): string {
    return `${this.#dir}/${this.#product}.${span}`;
  }

  /** Once until it works again. */
  #warn(error: unknown): void {
    if (this.#isWarned) return;
    this.#isWarned = true;
    log.warn(
      "figures cannot be written to history_dir {dir}: {error}; after a restart, the page's history begins anew",
      { dir: this.#dir, error },
    );
  }
}
