/**
 * What all config commands have in common: how one row of their tables becomes a command.
 *
 * @module
 */

import { DashboardError, DashboardUnreachableError } from "../../api/dashboard_errors.ts";
import { startLog, stopLog } from "../../base/log.ts";
import type { Argument, Flag, FlagValues, Subcommand } from "./subcommand.ts";
import { type CommandOutput, printOutput } from "./output.ts";
import { CommandContext, DASHBOARD_HINT } from "./context.ts";

/** One config command. */
export interface ConfigRow {
  /** The word that names it. */
  readonly name: string;
  /** One sentence for the help. */
  readonly summary: string;
  /** What else a user should know, for its own help. */
  readonly details?: string;
  readonly arguments?: readonly Argument[];
  readonly flags?: readonly Flag[];
  /**
   * Does it. Reads its arguments before it asks the context for anything, so that what is mistaken in
   * the command line is said first.
   *
   * @throws {Error} What goes wrong, in one line for the user.
   */
  run(values: FlagValues, context: CommandContext): Promise<CommandOutput>;
}

/** HTTP's word for a token that is missing or wrong. */
const UNAUTHORIZED = 401;

/** Makes a command of a row. */
export function configCommand(row: ConfigRow): Subcommand {
  return { ...row, flags: row.flags ?? [], run: (values) => runRow(row, values) };
}

async function runRow(row: ConfigRow, values: FlagValues): Promise<number> {
  await using context = new CommandContext(values);
  const { log } = context;
  // Who asks for no log gets none: what goes wrong is said in one line, and nothing else.
  if (log !== undefined) startLog(log);
  try {
    const outcome = await row.run(values, context);
    printOutput(outcome, context.outputFormat);
    return outcome.exitCode ?? 0;
  } catch (error) {
    throw withAdvice(error);
  } finally {
    stopLog();
  }
}

/** What went wrong, and what the user can do about it. */
function withAdvice(error: unknown): unknown {
  if (error instanceof DashboardUnreachableError && error.reason !== "silent") {
    return new Error(`${error.message}; ${DASHBOARD_HINT}`, { cause: error });
  }
  if (error instanceof DashboardError && error.status === UNAUTHORIZED) {
    return new Error(`${error.message}; set dashboard_token to what the dashboard has`, {
      cause: error,
    });
  }
  return error;
}
