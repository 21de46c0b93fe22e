/**
 * The completion script for zsh; it walks as the one for bash does, and shows the help beside words.
 *
 * @module
 */

import type { CompletionPath, CompletionValue, CompletionWord } from "./path.ts";

/** Stands for "the name of a file" where words stand otherwise. */
const FILE = "@file";

/** Writes the script. */
export function zshScript(program: string, paths: readonly CompletionPath[]): string {
  const name = `_${program}`;
  return `#compdef ${program}
# zsh completion for ${program}, written by: ${program} completion zsh

# Sets what can stand behind the words in $1.
${name}_at() {
    next=() flags=() valued=() places=()
    case $1 in
${paths.map(caseOfPath).join("\n")}
    esac
}

# Sets what the value of flag $1 can be.
${name}_value() {
    case $1 in
${casesOfFlags(paths).join("\n")}
    *) values= ;;
    esac
}

${name}() {
    local where= pending= values= word
    local -i place=1 i
    local -a next flags valued places
    ${name}_at ''
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        if [[ -n $pending ]]; then
            pending=
        elif [[ $word == -* ]]; then
            (($valued[(Ie)$word])) && pending=$word
        elif (($next[(I)$word:*])); then
            where="\${where:+$where }$word"
            ${name}_at "$where"
        else
            ((place++))
        fi
    done
    if [[ -z $pending && $words[CURRENT] == --*=* ]]; then
        pending=\${words[CURRENT]%%=*}
        compset -P '*='
    fi
    if [[ -n $pending ]]; then
        ${name}_value $pending
    elif [[ $words[CURRENT] == -* ]]; then
        _describe flag flags
        return
    elif (($#next)); then
        _describe command next
        return
    else
        values=$places[place]
    fi
    if [[ $values == ${FILE} ]]; then
        _files
    else
        compadd -- \${=values}
    fi
}

if [[ $funcstack[1] == ${name} ]]; then
    ${name}
else
    compdef ${name} ${program}
fi`;
}

function caseOfPath({ words, next, flags, arguments: args }: CompletionPath): string {
  const valued = flags.filter(({ takesValue }) => takesValue);
  const lines = [
    `next=(${next.map(described).join(" ")})`,
    `flags=(${flags.map(described).join(" ")})`,
    `valued=(${valued.map(({ word }) => word).join(" ")})`,
    `places=(${args.map((value) => quote(wordsOf(value))).join(" ")})`,
  ];
  return `    ${quote(words)})\n${lines.map((line) => `        ${line}`).join("\n")}\n        ;;`;
}

function casesOfFlags(paths: readonly CompletionPath[]): string[] {
  const values = new Map(
    paths.flatMap(({ flags }) => flags.map((flag) => [flag.word, wordsOf(flag)] as const)),
  );
  return [...values].filter(([, words]) => words !== "")
    .map(([flag, words]) => `    ${flag}) values=${quote(words)} ;;`);
}

/** As `_describe` takes it; a colon parts the word from its help. */
function described({ word, help }: CompletionWord): string {
  return quote(`${word.replaceAll(":", "\\:")}:${help}`);
}

function wordsOf({ words, isFile }: CompletionValue): string {
  return isFile ? FILE : words.join(" ");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
