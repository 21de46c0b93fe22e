/**
 * The command line: the first word names the command; without one, the proxy starts.
 *
 * @module
 */

import { SYSTEM_FILES } from "../base/file_fault.ts";
import { checkDescriptors, countFreeDescriptors } from "../base/free_descriptors.ts";
import { RECORD_ADVICE, RecordError } from "../model/record.ts";
import { VERSION } from "../proxy/version.ts";
import {
  type CommandGroup,
  type Invocation,
  isGroup,
  parseCommandLine,
  resolveCommand,
  type Subcommand,
  UsageError,
  wordFirst,
} from "./parts/subcommand.ts";
import { formatCommandHelp, formatGroupHelp, formatHelp, PROGRAM } from "./parts/help.ts";
import { proxyCommand } from "./proxy.ts";

/** The command that runs when the command line names none. */
const DEFAULT = proxyCommand;
const ONLY_DEFAULT: CommandGroup = { name: PROGRAM, summary: "", flags: [], commands: [DEFAULT] };

/** Deno's message about files that no program may use, and what our users read instead. */
const DENO_REFUSAL =
  /Requires (all access to "[^"]*"|\w+ access to "\/(dev|proc|sys)\/[^"]*"), run again with the --allow-\S+ flag/g;

/** The system's words where the process may open nothing more, and what helps. */
const OUT_OF_DESCRIPTORS = "Too many open files";
/** Without so many that can be opened, the runtime ends the process in the middle of whatever it opens. */
const DESCRIPTORS_LEAST = 12;
const MORE_DESCRIPTORS = 'raise the limit for open files, as by "ulimit -n 10000"';

/** Codis 2.0's program for the commands that are below `config` here. */
const CONFIG_PROGRAM = "codis-config";
const CONFIG = "config";

/**
 * The command line of a program that was started by some name: as `codis-config`, through a link, it runs
 * `config`. Flags of the proxy that stand before the word of another command are that command's.
 *
 * @param program The name by which it was called, with or without folders.
 */
export function commandLine(program: string, args: readonly string[]): string[] {
  const isConfig = program.split("/").at(-1) === CONFIG_PROGRAM;
  return isConfig ? [CONFIG, ...args] : wordFirst(DEFAULT.flags, args);
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
    console.error(`${PROGRAM}: ${line}${adviceFor(error, line)}`);
    return 1;
  }
}

function adviceFor(error: unknown, line: string): string {
  if (line.includes(OUT_OF_DESCRIPTORS)) return `; ${MORE_DESCRIPTORS}`;
  return error instanceof RecordError ? `: ${RECORD_ADVICE}` : "";
}

/** Loaded when another command than the proxy is asked for: its start waits for as little as it can. */
async function everyCommand(): Promise<CommandGroup> {
  return (await import("./commands.ts")).ROOT;
}

async function dispatch(args: readonly string[]): Promise<number> {
  if (args[0] === undefined || args[0].startsWith("-")) {
    const request = parseCommandLine(DEFAULT, args);
    return await answer(request, async () => formatHelp(await everyCommand(), DEFAULT), DEFAULT);
  }
  const root = args[0] === DEFAULT.name ? ONLY_DEFAULT : await everyCommand();
  const { words: [, ...words], command, flags, args: rest } = resolveCommand(root, args);
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
  formatHelp: () => string | Promise<string>,
  command: Subcommand,
): Promise<number> {
  switch (request.kind) {
    case "help":
      console.log(await formatHelp());
      return 0;
    case "version":
      console.log(`${PROGRAM} ${VERSION}`);
      return 0;
    case "run":
      checkDescriptors(
        countFreeDescriptors(DESCRIPTORS_LEAST),
        DESCRIPTORS_LEAST,
        "a command needs",
      );
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
