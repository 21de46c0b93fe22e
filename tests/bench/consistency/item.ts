/**
 * What is stored of an item, as far as it can be known: every value that may be there.
 *
 *      write acknowledged ──► the values after it whose reply would have been the one that came
 *      outcome unknown    ──► the values with it, and the values without it
 *      write refused      ──► the values before it
 *
 * An item is one key, or a few keys of one tag that are written together; all of them are in one slot.
 * One client writes it, many may read it. A value is a text, made and read by operations.ts; `null`: no
 * key. What a write of unknown outcome may do, it has done before its writer's next one.
 *
 * @module
 */

/** Redis and we may see the same moment at times this far apart, in milliseconds. */
export const CLOCK_MS = 1_000;
/** Writes that an item remembers, for whoever looks for the cause of a violation. */
const HISTORY = 10;

/** A value that may be there. It expires at a moment from `fromMs` to `toMs`, Unix milliseconds. */
export interface Possible {
  readonly value: string | null;
  /** Infinity: it does not expire. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a command does to a value. */
export interface Effect {
  readonly value: string | null;
  /** How long it lives from now on, in milliseconds; left out: as before. */
  readonly lifeMs?: number;
  /** The reply as operations.ts spells it. */
  readonly reply: string;
}

/** A command as a function of what is stored. */
export type Command = (value: string | null) => Effect;

/** How a command ended: with a reply, or not at all (`refused`), or nobody knows. */
export type Outcome =
  | { readonly kind: "replied"; readonly reply: string }
  | { readonly kind: "refused" }
  | { readonly kind: "unknown"; readonly cause: string };

/** A command of the writer's that is under way. */
export interface Sent {
  readonly command: Command;
  readonly words: readonly string[];
}

/** When a command may have been executed, in Unix milliseconds. */
export interface Span {
  readonly sentMs: number;
  readonly endedMs: number;
}

const NOTHING: Possible = { value: null, fromMs: Infinity, toMs: Infinity };

/** What others may see while they read. */
export class Reading {
  readonly #seen: Possible[];

  constructor(seen: readonly Possible[]) {
    this.#seen = [...seen];
  }

  /** The item may have had these values as well. */
  add(possible: readonly Possible[]): void {
    this.#seen.push(...possible);
  }

  /** Whether a reply is one that could be given in that time. */
  allows(command: Command, reply: string, span: Span): boolean {
    return this.#seen.some((possible) =>
      aliveOrNot(possible, span).some(({ value }) => command(value).reply === reply)
    );
  }

  toString(): string {
    return textOf(this.#seen);
  }
}

/** See the header. */
export class Item {
  readonly kind: string;
  readonly keys: readonly string[];
  readonly slotId: number;
  readonly database: number;
  /** Set at the first violation: from then on nothing is known of it, and nothing is checked. */
  isBroken = false;
  #possible: readonly Possible[] = [NOTHING];
  /** What readers may see: with what is under way. */
  #shown: readonly Possible[] = [NOTHING];
  readonly #readings = new Set<Reading>();
  /** How much longer than it was told to it may live, in milliseconds. */
  readonly #longerMs: number;
  readonly #history: string[] = [];

  /** @param mayOutlive Whether its servers let keys live longer than they were told to. */
  constructor(
    kind: string,
    keys: readonly string[],
    slotId: number,
    database: number,
    mayOutlive = false,
  ) {
    this.#longerMs = mayOutlive ? Infinity : 0;
    this.kind = kind;
    this.keys = keys;
    this.slotId = slotId;
    this.database = database;
  }

  /** What may be stored, when nothing is under way. */
  get possible(): readonly Possible[] {
    return this.#possible;
  }

  /** Whether more than one value may be there. */
  get isInDoubt(): boolean {
    return this.#possible.length > 1;
  }

  /** The value that is most probably there. */
  get value(): string | null {
    return this.#possible.at(-1)!.value;
  }

  /** The writer sends commands. */
  begin(sent: readonly Sent[], sentMs: number): void {
    // Each of them may be executed or not; when it was, is not known yet.
    const span = { sentMs, endedMs: Infinity };
    let shown = this.#possible;
    for (const { command } of sent) {
      shown = distinct([
        ...shown,
        ...shown.flatMap((each) => after(each, command, span, this.#longerMs)),
      ]);
    }
    this.#shown = shown;
    for (const reading of this.#readings) reading.add(shown);
  }

  /**
   * All of the writer's commands have ended, in order.
   *
   * @returns What is wrong with a reply; empty: nothing.
   */
  end(sent: readonly Sent[], outcomes: readonly Outcome[], span: Span): string {
    let possible = this.#possible;
    let wrong = "";
    for (const [i, { command, words }] of sent.entries()) {
      const outcome = outcomes[i]!;
      this.#remember(words, outcome, span);
      if (outcome.kind === "refused" || wrong !== "") continue;
      const before = possible;
      if (outcome.kind === "unknown") {
        possible = distinct([
          ...before,
          ...before.flatMap((each) => after(each, command, span, this.#longerMs)),
        ]);
        continue;
      }
      possible = distinct(
        before.flatMap((each) => after(each, command, span, this.#longerMs, outcome.reply)),
      );
      if (possible.length > 0) continue;
      wrong = `${words.join(" ")} was answered ${short(outcome.reply)}, stored could be ` +
        textOf(before);
      possible = before;
      this.isBroken = true;
    }
    this.#possible = this.#shown = possible;
    return wrong;
  }

  /** Somebody else begins to read. */
  open(): Reading {
    const reading = new Reading(this.#shown);
    this.#readings.add(reading);
    return reading;
  }

  /** A reading has ended. */
  close(reading: Reading): void {
    this.#readings.delete(reading);
  }

  /** What it is, and what its writer did last. */
  describe(): string {
    return `${this.kind} ${this.keys[0]} of slot ${this.slotId}, database ${this.database}\n` +
      this.#history.map((line) => `      ${line}`).join("\n");
  }

  #remember(words: readonly string[], outcome: Outcome, { sentMs, endedMs }: Span): void {
    const text = outcome.kind === "replied" ? short(outcome.reply) : outcome.kind;
    const cause = outcome.kind === "unknown" ? ` (${outcome.cause})` : "";
    this.#history.push(
      `${timeOf(sentMs)}+${Math.round(endedMs - sentMs)} ${
        short(words.join(" "))
      }: ${text}${cause}`,
    );
    if (this.#history.length > HISTORY) this.#history.shift();
  }
}

/** A moment as the log of a run spells it. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

/** What may be there of a value at a time: it, or nothing, or either. */
function aliveOrNot(possible: Possible, { sentMs, endedMs }: Span): Possible[] {
  const { fromMs, toMs } = possible;
  if (endedMs < fromMs - CLOCK_MS || fromMs === Infinity) return [possible];
  return sentMs > toMs + CLOCK_MS ? [NOTHING] : [possible, NOTHING];
}

/** What a command makes of a value, where its reply is the one that came. */
function after(
  possible: Possible,
  command: Command,
  span: Span,
  longerMs: number,
  reply?: string,
): Possible[] {
  return aliveOrNot(possible, span).flatMap((each) => {
    const effect = command(each.value);
    if (reply !== undefined && effect.reply !== reply) return [];
    if (effect.value === null) return [NOTHING];
    if (effect.lifeMs === undefined) return [{ ...each, value: effect.value }];
    const [fromMs, toMs] = [span.sentMs + effect.lifeMs, span.endedMs + effect.lifeMs + longerMs];
    return [{ value: effect.value, fromMs, toMs }];
  });
}

function distinct(possible: readonly Possible[]): Possible[] {
  if (possible.length < 2) return [...possible];
  return [...new Map(possible.map((p) => [`${p.fromMs} ${p.toMs} ${p.value}`, p])).values()];
}

function textOf(possible: readonly Possible[]): string {
  return possible.map(({ value, fromMs, toMs }) => {
    const life = fromMs === Infinity
      ? ""
      : ` until ${timeOf(fromMs)}…${toMs === Infinity ? "" : timeOf(toMs)}`;
    return `${short(String(value))}${life}`;
  }).join(" | ");
}

function short(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 70)}…${text.slice(-70)}`;
}
