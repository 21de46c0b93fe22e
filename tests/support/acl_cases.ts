/**
 * Rules of users and commands to try them with, made by chance: mostly near the edge between what is allowed
 * and what is not, now and then wrong.
 *
 * Texts are of one character for each byte. There are no null characters and quotes: what Redis makes of
 * those in a selector is not what anybody wants.
 *
 * @module
 */

import { CATEGORIES } from "../../src/acl/command_rights.ts";
import { COMMANDS } from "../../src/command/command_table.ts";

/** Numbers by chance, 0 to 1. */
type Chance = () => number;

/** The commands of Redis 7.0.15; a server that is told more refuses it. */
const KNOWN = COMMANDS.filter(({ origin }) => origin === "redis");
/** Letters of keys and channels; one of them is no ASCII. */
const LETTERS = ["a", "b", "c", "A", ":", "-", "^", "\\", "\xe9"];
/** More letters that patterns have. */
const SIGNS = ["*", "?", "[", "]", "[ab]", "[^a]", "[a-c]", "[c-a]", "\\", "\\*", "**"];
/** Words that are options of commands which name keys, or stand for them. */
const OPTIONS =
  ("GET SET STORE STOREDIST BY LIMIT STREAMS COUNT BLOCK GROUP KEYS AUTH AUTH2 COPY OVERFLOW INCRBY get " +
    "store streams NOACK OBJECT 0").split(" ");
/** Numbers of keys, right and wrong. */
const COUNTS = ["0", "1", "2", "3", "-1", "+1", "01", "2x", " 2", "9", "4294967297", ""];
/** Passwords, so few that some are right. */
const PASSWORDS = ["a", "b", "", "\xe9"];
const HASH = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4ea9b8f6fcbee4c2be3c";

/** What chance chooses from a list. */
export function pick<T>(chance: Chance, from: readonly T[]): T {
  return from[Math.floor(chance() * from.length)]!;
}

function several<T>(chance: Chance, most: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(chance() * (most + 1)) }, make);
}

/** A key or channel of a few letters. */
export function someKey(chance: Chance): string {
  return several(chance, 3, () => pick(chance, LETTERS)).join("");
}

function somePattern(chance: Chance): string {
  if (chance() < 0.15) return "*";
  return several(chance, 4, () => pick(chance, chance() < 0.5 ? LETTERS : SIGNS)).join("");
}

/** A word now and then in another spelling of upper and lower case. */
function anyCase(chance: Chance, word: string): string {
  const which = chance();
  if (which < 0.8) return word;
  return which < 0.9 ? word.toUpperCase() : word[0]!.toUpperCase() + word.slice(1);
}

function commandRule(chance: Chance): string {
  const sign = chance() < 0.6 ? "+" : "-";
  const which = chance();
  if (which < 0.3) return `${sign}@${anyCase(chance, pick(chance, [...CATEGORIES, "all", "all"]))}`;
  const { name } = pick(chance, KNOWN);
  if (which < 0.8) return sign + anyCase(chance, name);
  if (which < 0.95) return `${sign}${name}|${pick(chance, [someKey(chance), "get", "0", "STORE"])}`;
  return pick(chance, [
    `${sign}nosuch`,
    `${sign}@nosuch`,
    "allcommands",
    "nocommands",
    `${sign}get|a|b`,
  ]);
}

function keyRule(chance: Chance): string {
  const which = chance();
  if (which < 0.4) return `~${somePattern(chance)}`;
  if (which < 0.8) return `%${pick(chance, ["R", "W", "RW", "w", "rW"])}~${somePattern(chance)}`;
  if (which < 0.85) return pick(chance, ["%~a", "%", "%X~a", "%RR~a", "%R", "~a b", "~\t"]);
  return pick(chance, ["allkeys", "resetkeys", "~*"]);
}

function channelRule(chance: Chance): string {
  if (chance() < 0.7) return `&${somePattern(chance)}`;
  return pick(chance, ["allchannels", "resetchannels", "&*", "& x"]);
}

function selectorRule(chance: Chance): string {
  const which = chance();
  if (which < 0.45) return commandRule(chance);
  return which < 0.8 ? keyRule(chance) : channelRule(chance);
}

/** One rule, or the words of a selector. */
function someRule(chance: Chance): string[] {
  const which = chance();
  if (which < 0.7) return [selectorRule(chance)];
  if (which < 0.85) {
    const rules = several(chance, 4, () => selectorRule(chance).replace(/[ \t]/g, "")).join(" ");
    const text = `(${rules})`;
    return chance() < 0.5 ? [text] : text.split(" ");
  }
  const password = pick(chance, PASSWORDS);
  return [
    pick(chance, [
      ...["on", "off", "ON", "nopass", "resetpass", "reset", "clearselectors", "sanitize-payload"],
      ...["skip-sanitize-payload", `>${password}`, `<${password}`, `#${HASH}`, `!${HASH}`, "#12"],
      ...["", "nosuch", "(", ")", "()", "a)"],
    ]),
  ];
}

/** What many users begin with, so that more is decided than whether the command is allowed. */
const BEGINNINGS = [
  [],
  ["+@all"],
  ["allcommands", "&*"],
  ["+@all", "resetkeys", "~a*", "%R~b*", "%W~c*"],
  ["+@all", "~*", "resetchannels", "&a*"],
  ["+@all", "(+@all ~*b)", "(+@write %W~* &*)"],
];

/** The words of an ACL SETUSER, without the name. */
export function someRules(chance: Chance): string[] {
  const beginning = pick(chance, BEGINNINGS);
  return [...beginning, ...several(chance, 5, () => someRule(chance)).flat()];
}

/** A command with arguments, mostly as many as it takes. */
export function someCommand(chance: Chance): string[] {
  const { name, arity, isContainer } = pick(chance, chance() < 0.8 ? KEYED : KNOWN);
  const words = name.split("|").map((word) => anyCase(chance, word));
  const more = arity > 0 ? arity - words.length : -arity - words.length +
    Math.floor(chance() * 5);
  for (let i = 0; i < more; i++) {
    const which = chance();
    if (isContainer && i === 0 && which < 0.5) words.push("nosuch");
    else if (which < 0.6) words.push(someKey(chance));
    else words.push(pick(chance, which < 0.8 ? OPTIONS : COUNTS));
  }
  if (chance() < 0.02) words.push(someKey(chance));
  return words;
}

/** Those that name keys or channels. */
const KEYED = KNOWN.filter(({ keySpecs, categories }) =>
  keySpecs.length > 0 || categories.includes("@pubsub")
);
