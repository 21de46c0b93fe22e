/**
 * Makes a command of a row in the tables of the config commands.
 *
 * @module
 */

import {
  DashboardError,
  DashboardUnreachableError,
  UNAUTHORIZED,
} from "../../api/dashboard_errors.ts";
import { startLog, stopLog } from "../../base/log.ts";
import type { Argument, Flag, FlagValues, Subcommand } from "./subcommand.ts";
import { type CommandOutput, printOutput } from "./output.ts";
import { CommandContext, TOKEN_VARIABLE, withDashboardHint } from "./context.ts";

/** A config command. */
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
   * Runs the command. Reads its arguments before it uses the context, so that mistakes in the command line
   * are reported first.
   *
   * @throws {Error} When it fails; the message is one line for the user.
   */
  run(values: FlagValues, context: CommandContext): Promise<CommandOutput>;
}

/** Makes a command of a row. */
export function configCommand(row: ConfigRow): Subcommand {
  return { ...row, flags: row.flags ?? [], run: (values) => runRow(row, values) };
}

async function runRow(row: ConfigRow, values: FlagValues): Promise<number> {
  await using context = new CommandContext(values);
  const { log } = context;
  // Without a flag for the log there is no log: a failure is one line, and nothing else.
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

/** Adds to an error what the user can do. */
export function withAdvice(error: unknown): unknown {
  if (error instanceof DashboardUnreachableError && error.reason !== "silent") {
    return new Error(withDashboardHint(error.message), { cause: error });
  }
  if (error instanceof DashboardError && error.status === UNAUTHORIZED) {
    return new Error(
      `${error.message}; set dashboard_token to the token of the dashboard, or ${TOKEN_VARIABLE} to an API token`,
      {
        cause: error,
      },
    );
  }
  return error;
}
