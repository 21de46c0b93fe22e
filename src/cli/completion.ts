/**
 * The command `completion`: scripts for shells to complete our words, made from the tables of commands.
 *
 * @module
 */

import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { pathsOf } from "./completion/path.ts";
import { zshScript } from "./completion/zsh.ts";
import { type CommandGroup, readValue, type Subcommand } from "./parts/subcommand.ts";
import { wordArgument } from "./parts/arguments.ts";
import { PROGRAM } from "./parts/help.ts";

/** The function that writes the script, for each shell. */
const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

type Shell = keyof typeof SCRIPTS;

const SHELLS = Object.keys(SCRIPTS) as Shell[];

const SHELL = wordArgument("shell", SHELLS, SHELLS.join(", "));

/**
 * See the header.
 *
 * @param root Returns the tables, which contain this command itself.
 */
export function completionCommand(root: () => CommandGroup): Subcommand {
  return {
    name: "completion",
    summary: "Print a script that lets a shell complete commands and flags.",
    details: [
      `bash:  source <(${PROGRAM} completion bash)`,
      `zsh:   source <(${PROGRAM} completion zsh)`,
      `fish:  ${PROGRAM} completion fish | source`,
    ].join("\n"),
    arguments: [SHELL],
    flags: [],
    run: (values) => {
      console.log(SCRIPTS[readValue(values, SHELL)](PROGRAM, pathsOf(root())));
      return Promise.resolve(0);
    },
  };
}
