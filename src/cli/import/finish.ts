/**
 * The end of an import from servers: clients are switched over, keys are compared.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type { ImportRun } from "../../import/import_run.ts";
import type { ImportSetup } from "../../import/source_import.ts";
import {
  pauseWrites,
  resumeWrites,
  whilePaused,
  WRITE_PAUSE_MS,
} from "../../import/switch_over.ts";
import { type Comparison, verify } from "../../import/verify.ts";
import { type FlagValues, isGiven, readValue } from "../parts/subcommand.ts";
import { ONCE, SWITCH_OVER, VERIFY } from "./flags.ts";
import { type Destination, openDestination } from "./destination.ts";

/** What is said at the end, because it differs. */
export interface FinishTexts {
  /** Whose writes are paused. */
  readonly whose: string;
  /** What clients do now. */
  readonly go: string;
}

/** How long it may take, once writes are paused, until no slot moves. */
const REST_MS = 15_000;

/** How it ended. */
export interface Finished {
  /** Undefined: nothing was compared. */
  readonly comparison: Comparison | undefined;
}

/** See the header. */
export class Finish {
  readonly #values: FlagValues;
  readonly #destination: Destination;
  readonly #setup: ImportSetup;
  readonly #run: ImportRun;
  readonly #say: (text: string) => void;
  readonly #texts: FinishTexts;
  #isPaused = false;

  constructor(
    values: FlagValues,
    destination: Destination,
    setup: ImportSetup,
    run: ImportRun,
    say: (text: string) => void,
    texts: FinishTexts,
  ) {
    this.#texts = texts;
    this.#values = values;
    this.#destination = destination;
    this.#setup = setup;
    this.#run = run;
    this.#say = say;
  }

  /** Waits for what the flags ask for; without --once or --switch-over, only for the end of the import. */
  async finish(): Promise<Finished> {
    const [run, values] = [this.#run, this.#values];
    await run.inStep();
    if (!run.isEnded) this.#say("all keys are copied, changes are followed");
    const isSwitch = isGiven(values, SWITCH_OVER);
    if (!isSwitch && !isGiven(values, ONCE)) return await new Promise(() => {});
    const word = readValue(values, VERIFY);
    const compare = () => this.#compare(word === "all");
    const comparison = isSwitch
      ? await whilePaused(run, async () => {
        await this.#pause();
        return await compare();
      })
      : word === "none"
      ? undefined
      : await compare();
    if (isSwitch) await this.#tellSwitched(comparison?.differentCount ?? 0);
    return { comparison };
  }

  async #pause(): Promise<void> {
    this.#isPaused = true;
    await pauseWrites(this.#run, this.#say);
    if (!await this.#run.isInStepWithin(REST_MS)) {
      throw new Error(
        "slots have begun to move: end that first, then run the same command again",
      );
    }
    this.#say(`writes at ${this.#texts.whose} are paused, all changes are stored`);
  }

  /** Lets writes at the sources go on, if they were paused and clients were not told to move. */
  async undo(): Promise<void> {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#run.isEnded = true;
    await resumeWrites(this.#run);
    this.#say(`writes at ${this.#texts.whose} go on`);
  }

  async #compare(isAll: boolean): Promise<Comparison> {
    using proxy = await openDestination(this.#destination);
    const { choice, state } = this.#setup;
    const isOurs = isAll && state.wasEmpty;
    const databases = isOurs ? await this.#destination.databases() : [];
    return await verify(this.#run, proxy, choice, isAll, databases);
  }

  async #tellSwitched(different: number): Promise<void> {
    if (different > 0) {
      this.#say(
        `${countOf(different, "key")} ${
          different === 1 ? "differs" : "differ"
        }: nothing has changed`,
      );
      await this.undo();
    } else {
      this.#isPaused = false;
      this.#say(
        `go: ${this.#texts.go}. Writes at ${this.#texts.whose} stay paused for ${
          WRITE_PAUSE_MS / 60_000
        } minutes; ` +
          "CLIENT UNPAUSE there is the way back",
      );
    }
  }
}
