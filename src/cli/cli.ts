/**
 * The command line: the first word names the command, none means the proxy.
 *
 * @module
 */

import { suggestion } from "../base/nearest.ts";
import { VERSION } from "../proxy/version.ts";
import { type Command, formatFlags, parseCommandLine, UsageError } from "./command.ts";
import { demoCommand } from "./demo.ts";
import { proxyCommand } from "./proxy.ts";

/** What the program is called in its own texts. */
const PROGRAM = "codis-proxy";

/** Every command; the first is the one meant when no word is given. */
const COMMANDS: readonly [Command, ...Command[]] = [proxyCommand, demoCommand];

/**
 * Does what a command line says, and reports what goes wrong in one line on standard error.
 *
 * @param args The words behind the program's name.
 * @returns The exit code: 0, or 1 when it went wrong.
 */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`${PROGRAM}: ${message.replaceAll("\n", " ")}`);
    return 1;
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const word = args[0]?.startsWith("-") ? undefined : args[0];
  const command = word === undefined ? COMMANDS[0] : findCommand(word);
  const request = parseCommandLine(command, word === undefined ? args : args.slice(1));
  switch (request.kind) {
    case "help":
      console.log(word === undefined ? formatHelp() : formatCommandHelp(command));
      return 0;
    case "version":
      console.log(`${PROGRAM} ${VERSION}`);
      return 0;
    case "run":
      return await command.run(request.values);
  }
}

function findCommand(word: string): Command {
  const command = COMMANDS.find((each) => each.name === word);
  if (command !== undefined) return command;
  const names = COMMANDS.map((each) => each.name);
  throw new UsageError(`unknown command "${word}"${suggestion(word, names)}`);
}

function formatHelp(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  const list = COMMANDS.map(({ name, summary }) => `    ${name.padEnd(width)}  ${summary}`);
  return [
    `Usage: ${PROGRAM} [<command>] [<flags>]`,
    "",
    "Commands:",
    ...list,
    "",
    `Without a command: ${COMMANDS[0].name}, with these flags:`,
    formatFlags(COMMANDS[0]),
    "",
    `${PROGRAM} <command> --help shows the flags of a command.`,
  ].join("\n");
}

function formatCommandHelp(command: Command): string {
  return [
    `Usage: ${PROGRAM} ${command.name} [<flags>]`,
    "",
    command.summary,
    "",
    "Flags:",
    formatFlags(command),
  ].join("\n");
}
