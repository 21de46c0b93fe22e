/**
 * The completion script for bash.
 *
 *     words typed ─► walk: flags and their values skipped, known words make the path, others are
 *     counted ─► what can stand there, by path, place and flag ─► COMPREPLY
 *
 * @module
 */

import type { CompletionPath, CompletionValue } from "./path.ts";

/** Stands for "the name of a file" where words stand otherwise. */
const FILE = "@file";

/** Writes the script. */
export function bashScript(program: string, paths: readonly CompletionPath[]): string {
  const name = `_${program.replaceAll("-", "_")}`;
  return `# bash completion for ${program}, written by: ${program} completion bash

# Sets what can stand behind the words in $1.
${name}_at() {
    next= flags= valued= places=()
    case $1 in
${paths.map(caseOfPath).join("\n")}
    esac
}

# Sets what the value of flag $1 can be.
${name}_value() {
    case $1 in
${casesOfFlags(paths).join("\n")}
    *) words= ;;
    esac
}

${name}() {
    local cur=\${COMP_WORDS[COMP_CWORD]} path= pending= place=0 words= word i
    local next flags valued places
    ${name}_at ""
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        if [[ $word == : ]]; then
            # bash splits host:port into three words
            ((i++))
        elif [[ $word == = ]]; then
            continue
        elif [[ -n $pending ]]; then
            pending=
        elif [[ $word == -* ]]; then
            [[ " $valued " == *" $word "* ]] && pending=$word
        elif [[ " $next " == *" $word "* ]]; then
            path="\${path:+$path }$word"
            ${name}_at "$path"
        else
            ((place++))
        fi
    done
    [[ $cur == = ]] && cur=
    if [[ -n $pending ]]; then
        ${name}_value "$pending"
    elif [[ $cur == -* ]]; then
        words=$flags
    elif [[ -n $next ]]; then
        words=$next
    else
        words=\${places[place]}
    fi
    if [[ $words == ${FILE} ]]; then
        local IFS=$'\\n'
        COMPREPLY=($(compgen -f -- "$cur"))
        compopt -o filenames 2>/dev/null
    else
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    fi
}

complete -F ${name} ${program}`;
}

function caseOfPath({ words, next, flags, arguments: args }: CompletionPath): string {
  const valued = flags.filter(({ takesValue }) => takesValue);
  const lines = [
    `next=${quote(next.map(({ word }) => word))}`,
    `flags=${quote(flags.map(({ word }) => word))}`,
    `valued=${quote(valued.map(({ word }) => word))}`,
    `places=(${args.map((value) => quote([wordsOf(value)])).join(" ")})`,
  ];
  return `    "${words}")\n${lines.map((line) => `        ${line}`).join("\n")}\n        ;;`;
}

/** One case for each flag whose values are known; a flag means the same wherever it stands. */
function casesOfFlags(paths: readonly CompletionPath[]): string[] {
  const values = new Map(
    paths.flatMap(({ flags }) => flags.map((flag) => [flag.word, wordsOf(flag)] as const)),
  );
  return [...values].filter(([, words]) => words !== "")
    .map(([flag, words]) => `    ${flag}) words=${quote([words])} ;;`);
}

function wordsOf({ words, isFile }: CompletionValue): string {
  return isFile ? FILE : words.join(" ");
}

function quote(words: readonly string[]): string {
  return `"${words.join(" ")}"`;
}
