/**
 * The command line called in this very process, its output collected; for what needs no process of
 * its own.
 *
 * @module
 */

import { runCli } from "../../src/cli/cli.ts";

/** What a command line has come to. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line; one at a time, because the console is one. */
export async function callCli(...args: string[]): Promise<Ended> {
  const lines = { stdout: "", stderr: "" };
  const { log, error } = console;
  console.log = (text: string) => void (lines.stdout += `${text}\n`);
  console.error = (text: string) => void (lines.stderr += `${text}\n`);
  try {
    return { code: await runCli(args), ...lines };
  } finally {
    Object.assign(console, { log, error });
  }
}
