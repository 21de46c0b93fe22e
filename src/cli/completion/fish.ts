/**
 * The completion script for fish: one `complete` for each word, at the path where it can stand.
 *
 * @module
 */

import type { CompletionFlag, CompletionPath, CompletionValue } from "./path.ts";

/** Writes the script. */
export function fishScript(program: string, paths: readonly CompletionPath[]): string {
  const name = `__${program.replaceAll("-", "_")}`;
  const known = paths.map(({ words }) => words).filter((words) => words !== "");
  const valued = new Set(
    paths.flatMap(({ flags }) => flags.filter(({ takesValue }) => takesValue)).map(({ word }) =>
      word
    ),
  );
  return `# fish completion for ${program}, written by: ${program} completion fish

set -g ${name}_paths ${known.map(quote).join(" ")}
set -g ${name}_valued ${[...valued].map(quote).join(" ")}

# Whether the words typed so far lead to $argv[1], with $argv[2] others behind them.
function ${name}_at
    set -l path
    set -l place 0
    set -l pending 0
    for word in (commandline -opc)[2..-1]
        if test $pending -eq 1
            set pending 0
        else if string match -q -- '-*' $word
            contains -- $word $${name}_valued; and set pending 1
        else if contains -- (string join ' ' $path $word) $${name}_paths
            set -a path $word
        else
            set place (math $place + 1)
        end
    end
    set -l here (string join ' ' $path)
    test "$here" = "$argv[1]"; or return 1
    test (count $argv) -lt 2; or test $place -eq $argv[2]
end

complete -c ${program} -f
${paths.flatMap((path) => linesOf(program, `${name}_at`, path)).join("\n")}`;
}

function linesOf(program: string, at: string, path: CompletionPath): string[] {
  const { words, next, flags, arguments: args } = path;
  const line = (condition: string, rest: string) =>
    `complete -c ${program} -n ${quote(condition)} ${rest}`;
  const here = `${at} "${words}"`;
  return [
    ...next.map(({ word, help }) => line(`${here} 0`, `-f -a ${word} -d ${quote(help)}`)),
    ...flags.map((flag) => line(here, `${spell(flag)} -d ${quote(flag.help)}`)),
    ...args.flatMap((value, place) => {
      const choice = chooseFrom(value);
      return choice === "" ? [] : [line(`${here} ${place}`, choice)];
    }),
  ];
}

function spell(flag: CompletionFlag): string {
  const name = flag.word.startsWith("--") ? `-l ${flag.word.slice(2)}` : `-s ${flag.word.slice(1)}`;
  if (!flag.takesValue) return name;
  return `${name} -r ${chooseFrom(flag) || "-f"}`;
}

function chooseFrom({ words, isFile }: CompletionValue): string {
  if (isFile) return "-F";
  return words.length === 0 ? "" : `-f -a ${quote(words.join(" "))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
