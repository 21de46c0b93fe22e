/**
 * Moves the keys of servers until it is told to end: what `import` and `export` have in common.
 *
 * @module
 */

import { type Companion, ImportRun } from "../../import/import_run.ts";
import type { ImportState } from "../../import/import_state.ts";
import { type ImportSetup, type SourcePlace, UNCLEAR_NOTE } from "../../import/source_import.ts";
import { toJson } from "../parts/output.ts";
import { type FlagValues, readValue } from "../parts/subcommand.ts";
import type { Destination } from "./destination.ts";
import { VERIFY } from "./flags.ts";
import { Finish, type FinishTexts } from "./finish.ts";
import { countsJson, ProgressLine } from "./progress_line.ts";
import { StopSignals } from "./stop_signals.ts";

/** The exit code when keys differ. */
const DIFFERENT = 2;

const UNCLEAR =
  "the source has replicated scripts as text that may use keys which they do not declare; those keys " +
  "may differ. --verify=all finds them";

/** What is moved, and whither. */
export interface MoveTask {
  /** The sources, by name. */
  readonly places: ReadonlyMap<string, SourcePlace>;
  readonly destination: Destination;
  readonly state: ImportState;
  readonly texts: FinishTexts;
  readonly companion: Companion | undefined;
  /**
   * Makes the setup.
   *
   * @param say Prints a line that stays.
   * @param run The run, once it has begun.
   */
  setup(say: (text: string) => void, run: () => ImportRun): ImportSetup;
}

/**
 * See the header.
 *
 * @returns The exit code.
 */
export async function moveKeys(values: FlagValues, task: MoveTask): Promise<number> {
  const { places, destination, state, texts, companion } = task;
  using _used = state;
  using stop = new StopSignals();
  const startMs = performance.now();
  const said: { by?: ProgressLine } = {};
  const say = (text: string) => said.by?.say(text);
  const setup = task.setup(say, () => run);
  const run: ImportRun = new ImportRun(places, setup, companion);
  using shown = new ProgressLine(() => run.figures);
  said.by = shown;
  const interrupted = new Promise<"stopped">((resolve) =>
    stop.signal.addEventListener("abort", () => resolve("stopped"))
  );
  const finish = new Finish(values, destination, setup, run, say, texts);
  const finished = finish.finish();
  finished.catch(() => {});
  const outcome = await Promise.race([
    interrupted,
    finished,
    run.ended.then(() => "ended" as const),
  ]).finally(() => finish.undo());
  run.stop();
  await run.ended;
  shown[Symbol.dispose]();
  const counts = countsJson(run.figures.counts, performance.now() - startMs);
  if (typeof outcome === "string") {
    console.log(toJson(counts));
    console.error("stopped; run the same command to continue");
    return stop.code;
  }
  const { comparison } = outcome;
  const isAllCompared = readValue(values, VERIFY) === "all";
  if (state.noted(UNCLEAR_NOTE) !== "" && !isAllCompared) console.error(UNCLEAR);
  const verified = comparison && {
    ...{ compared: comparison.compared, different: comparison.differentCount },
    differences: comparison.different,
  };
  console.log(toJson({ ...counts, ...(verified === undefined ? {} : { verified }) }));
  if ((comparison?.differentCount ?? 0) > 0) return DIFFERENT;
  await state.remove();
  return 0;
}
