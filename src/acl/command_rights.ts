/**
 * Which commands a selector allows: a bit for each command of Redis 7.0.15, as acl.c keeps them.
 *
 *      +@all -@dangerous +config|get +select|0
 *        │                              └─ allowed with this first argument only
 *        └─ also what Redis 7.0.15 does not have: commands of modules, of later servers
 *
 * Commands that Redis 7.0.15 does not have get no bit, but the same rules in their order: those that name
 * them, and those of their categories where they are no module's.
 *
 * @module
 */

import type { Command } from "../command/command.ts";
import { COMMANDS, findByName } from "../command/command_table.ts";

/** Redis's categories, in its order. */
export const CATEGORIES: readonly string[] =
  ("keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin " +
    "fast slow blocking dangerous connection transaction scripting").split(" ");

/** The commands of Redis 7.0.15, which have bits; the container before its subcommands. */
const KNOWN: readonly Command[] = COMMANDS.filter(({ origin }) => origin === "redis");

/** The known commands of a category, by its name. */
const IN_CATEGORY: ReadonlyMap<string, readonly Command[]> = new Map(
  CATEGORIES.map((
    name,
  ) => [name, KNOWN.filter(({ categories }) => categories.includes(`@${name}`))]),
);

/** The bit of each known command, by its name. */
const BIT: ReadonlyMap<string, number> = new Map(KNOWN.map(({ name }, bit) => [name, bit]));

/** Names of a category's commands; undefined when there is no such category. */
export function commandsOf(category: string): readonly string[] | undefined {
  return IN_CATEGORY.get(category)?.map(({ name }) => name);
}

/** ASCII letters in lower case, and nothing else. */
export function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/**
 * The command of a rule, as in `config` or `config|get`. A module's command, with a dot in its name, need
 * not be known: the servers may be asked for it later.
 *
 * @returns Undefined for a name that no command has.
 */
export function commandOfRule(name: string): { readonly name: string } | undefined {
  const lower = lowerCase(name);
  const known = findByName(lower);
  if (known !== undefined) return known.origin === "http" ? undefined : known;
  return /^[a-z0-9_-]+\.[a-z0-9_.-]+$/.test(lower) ? { name: lower } : undefined;
}

/** What a selector may run; see the drawing above. */
export class CommandRights {
  /** Whether nothing is excluded. */
  isAll = false;
  /** Whether commands that are not known yet are allowed, but for those that a rule names. */
  #hasFuture = false;
  readonly #bits = new Uint8Array(KNOWN.length);
  /** First arguments with which commands without their bit are allowed, by the command's name. */
  #firstArguments: Map<string, readonly string[]> | null = null;
  /** The rules since the last `+@all` or `-@all`, for commands without a bit; each at most once. */
  #rules: string[] = [];

  // -- changes --------------------------------------------------------------------------------

  /** `+@all`. */
  allowAll(): void {
    this.#setAll(true);
  }

  /** `-@all`. */
  allowNone(): void {
    this.#setAll(false);
  }

  #setAll(isAllowed: boolean): void {
    this.isAll = this.#hasFuture = isAllowed;
    this.#bits.fill(isAllowed ? 1 : 0);
    this.#firstArguments = null;
    this.#rules = [];
  }

  /** `+NAME` or `-NAME`, with all subcommands. */
  change(name: string, isAllowed: boolean): void {
    this.#setWithSubcommands(name, isAllowed);
    this.#remember(`${isAllowed ? "+" : "-"}${name}`);
  }

  #setWithSubcommands(name: string, isAllowed: boolean): void {
    const value = isAllowed ? 1 : 0;
    if (!isAllowed) this.isAll = false;
    this.#firstArguments?.delete(name);
    const bit = BIT.get(name);
    if (bit === undefined) return;
    this.#bits[bit] = value;
    for (const id of KNOWN[bit]!.subcommands) {
      const subcommand = BIT.get(COMMANDS[id]!.name);
      if (subcommand !== undefined) this.#bits[subcommand] = value;
    }
  }

  /** `+@NAME` or `-@NAME`; false when there is no such category. */
  changeCategory(category: string, isAllowed: boolean): boolean {
    const commands = IN_CATEGORY.get(category);
    if (commands === undefined) return false;
    for (const { name } of commands) this.#setWithSubcommands(name, isAllowed);
    this.#remember(`${isAllowed ? "+" : "-"}@${category}`);
    return true;
  }

  /** `+NAME|ARGUMENT`, of a command without subcommands. */
  allowFirstArgument(name: string, argument: string): void {
    this.#firstArguments ??= new Map();
    const given = this.#firstArguments.get(name) ?? [];
    if (given.some((each) => lowerCase(each) === lowerCase(argument))) return;
    this.#firstArguments.set(name, [...given, argument]);
  }

  /** Keeps a rule for commands without a bit; an earlier one about the same counts no more. */
  #remember(rule: string): void {
    const about = rule.slice(1);
    this.#rules = [...this.#rules.filter((each) => each.slice(1) !== about), rule];
  }

  // -- questions ------------------------------------------------------------------------------

  /** Whether a command is allowed with any arguments. */
  allows(command: Command): boolean {
    if (this.isAll || command.isAllowedBeforeAuth) return true;
    const bit = BIT.get(command.name);
    return bit === undefined ? this.#allowsUnknown(command) : this.#bits[bit] === 1;
  }

  /** The first arguments with which it is allowed when it is not allowed with any. */
  firstArgumentsOf({ name }: Command): readonly string[] {
    return this.#firstArguments?.get(name) ?? [];
  }

  #allowsUnknown({ name, categories, flags }: Command): boolean {
    const container = name.split("|")[0];
    const isOfModule = flags.includes("module");
    let isAllowed = this.#hasFuture;
    for (const rule of this.#rules) {
      const about = rule.slice(1);
      const isMeant = about.startsWith("@")
        ? !isOfModule && categories.includes(about)
        : about === name || about === container;
      if (isMeant) isAllowed = rule.startsWith("+");
    }
    return isAllowed;
  }

  // -- as rules -------------------------------------------------------------------------------

  /**
   * The rules that make these rights, as few as acl.c finds: it starts from all or nothing, takes the
   * categories that fit best, and then the single commands that are left.
   */
  rules(): string[] {
    const isAdditive = !this.#hasFuture;
    const made = new CommandRights();
    if (!isAdditive) made.allowAll();
    const rules = [isAdditive ? "-@all" : "+@all"];
    const left = this.#bits.slice();
    const rest = new Set(CATEGORIES);
    for (;;) {
      const best = bestCategory(left, rest, isAdditive);
      if (best === "") break;
      rest.delete(best);
      made.changeCategory(best, isAdditive);
      setCategory(left, best, !isAdditive);
      rules.push(`${isAdditive ? "+" : "-"}@${best}`);
    }
    for (const [bit, { name }] of KNOWN.entries()) {
      if (made.#bits[bit] !== this.#bits[bit]) {
        const isAllowed = this.#bits[bit] === 1;
        rules.push(`${isAllowed ? "+" : "-"}${name}`);
        made.#setWithSubcommands(name, isAllowed);
      }
      if (this.#bits[bit] === 1) continue;
      for (const argument of this.#firstArguments?.get(name) ?? []) {
        rules.push(`+${name}|${argument}`);
      }
    }
    const unknown = this.#rules.filter((rule) => rule[1] !== "@" && !BIT.has(rule.slice(1)));
    return [...rules, ...unknown, ...this.#firstArgumentsOfUnknown()];
  }

  #firstArgumentsOfUnknown(): string[] {
    return [...this.#firstArguments ?? []].filter(([name]) => !BIT.has(name))
      .flatMap(([name, given]) => given.map((argument) => `+${name}|${argument}`));
  }
}

/** The category that comes nearest to what is left; empty when none has more right than wrong. */
function bestCategory(left: Uint8Array, categories: Iterable<string>, isAdditive: boolean): string {
  let best = "";
  let [leastDifferent, mostSame] = [Infinity, 0];
  for (const category of categories) {
    let on = 0;
    const commands = IN_CATEGORY.get(category)!;
    for (const { name } of commands) on += left[BIT.get(name)!]!;
    const off = commands.length - on;
    const [different, same] = isAdditive ? [off, on] : [on, off];
    const isBetter = different < leastDifferent ||
      (different === leastDifferent && same > mostSame);
    if (same > different && isBetter) {
      [best, leastDifferent, mostSame] = [category, different, same];
    }
  }
  return best;
}

/** Sets the bits of a category's commands, and of their subcommands. */
function setCategory(bits: Uint8Array, category: string, isAllowed: boolean): void {
  for (const { name, subcommands } of IN_CATEGORY.get(category)!) {
    for (const each of [name, ...subcommands.map((id) => COMMANDS[id]!.name)]) {
      const bit = BIT.get(each);
      if (bit !== undefined) bits[bit] = isAllowed ? 1 : 0;
    }
  }
}
