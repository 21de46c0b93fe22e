/**
 * The command line: the first word names the command; without one, the proxy starts.
 *
 * @module
 */

import { VERSION } from "../proxy/version.ts";
import {
  type CommandGroup,
  type Invocation,
  isGroup,
  parseCommandLine,
  resolveCommand,
  type Subcommand,
  UsageError,
} from "./parts/subcommand.ts";
import { tryCommand } from "./check.ts";
import { completionCommand } from "./completion.ts";
import { configCommands } from "./config.ts";
import { dashboardCommand } from "./dashboard.ts";
import { demoCommand } from "./demo.ts";
import { formatCommandHelp, formatGroupHelp, formatHelp, PROGRAM } from "./parts/help.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { drainCommand } from "./drain.ts";
import { proxyCommand } from "./proxy.ts";
import { reloadCommand } from "./reload.ts";
import { topCommand } from "./top.ts";

/** The whole command line: every command, by the word that names it. */
export const ROOT: CommandGroup = {
  name: PROGRAM,
  summary: "A proxy that shards Redis.",
  flags: [],
  commands: [
    proxyCommand,
    drainCommand,
    dashboardCommand,
    configCommands,
    tryCommand,
    reloadCommand,
    importCommand,
    exportCommand,
    topCommand,
    demoCommand,
    completionCommand(() => ROOT),
  ],
};

/** The command that runs when the command line names none. */
const DEFAULT = proxyCommand;

/** Deno's message about files that no program may use, and what our users read instead. */
const DENO_REFUSAL =
  /Requires (all access to "[^"]*"|\w+ access to "\/(dev|proc|sys)\/[^"]*"), run again with the --allow-\S+ flag/g;
const SYSTEM_FILES = "files below /dev, /proc and /sys cannot be used";

/** Codis 2.0's program for the commands that are below `config` here. */
const CONFIG_PROGRAM = "codis-config";

/**
 * The command line of a program that was started by some name: as `codis-config`, through a link, it runs
 * `config`.
 *
 * @param program The name by which it was called, with or without folders.
 */
export function commandLine(program: string, args: readonly string[]): string[] {
  const isConfig = program.split("/").at(-1) === CONFIG_PROGRAM;
  return isConfig ? [configCommands.name, ...args] : [...args];
}

/**
 * Runs a command line, and reports a failure in one line on standard error.
 *
 * @param args The words after the program's name.
 * @returns The exit code: 0, or 1 after a failure.
 */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const line = message.replaceAll("\n", " ").replace(DENO_REFUSAL, SYSTEM_FILES);
    console.error(`${PROGRAM}: ${line}`);
    return 1;
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  if (args[0] === undefined || args[0].startsWith("-")) {
    const request = parseCommandLine(DEFAULT, args);
    return await answer(request, () => formatHelp(ROOT, DEFAULT), DEFAULT);
  }
  const { words: [, ...words], command, flags, args: rest } = resolveCommand(ROOT, args);
  if (!isGroup(command)) {
    const request = parseCommandLine(command, rest, flags);
    return await answer(request, () => formatCommandHelp(words, command, flags), command);
  }
  const { name, summary } = command;
  const alone: Subcommand = { name, summary, flags, run: () => missing(words, command) };
  const request = parseCommandLine(alone, rest);
  return await answer(request, () => formatGroupHelp(words, command, flags), alone);
}

async function answer(
  request: Invocation,
  formatHelp: () => string,
  command: Subcommand,
): Promise<number> {
  switch (request.kind) {
    case "help":
      console.log(formatHelp());
      return 0;
    case "version":
      console.log(`${PROGRAM} ${VERSION}`);
      return 0;
    case "run":
      return await command.run(request.values);
  }
}

function missing(words: readonly string[], { commands }: CommandGroup): Promise<number> {
  const choice = commands.map((command) => command.name).join(", ");
  const path = words.join(" ");
  return Promise.reject(
    new UsageError(`${path} needs a command: ${choice}; see ${PROGRAM} ${path} --help`),
  );
}
