/**
 * A selector: commands, and the keys and channels that they may name. A user has one, the root, and may have
 * more in parentheses; a command is allowed when one of them allows all of it.
 *
 * All texts are of one character for each byte (`resp/latin1.ts`): patterns need not be UTF-8.
 *
 * @module
 */

import { findByName } from "../command/command_table.ts";
import { latin1Bytes } from "../resp/latin1.ts";
import { commandOfRule, CommandRights, lowerCase } from "./command_rights.ts";

/** What may be done with keys of a pattern, as bits. */
export const READ = 1;
/** See {@linkcode READ}. */
export const WRITE = 2;

/** Keys of a pattern, and what may be done with them. */
interface KeyPattern {
  access: number;
  readonly pattern: string;
  readonly bytes: Uint8Array;
}

/** Channels of a pattern. */
export interface ChannelPattern {
  readonly pattern: string;
  readonly bytes: Uint8Array;
}

/** Redis's words for what is wrong with a rule. */
export const RULE_ERRORS = {
  unknownCommand: "Unknown command or category name in ACL",
  syntax: "Syntax error",
  keyAfterAll:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not " +
    "have any effect. Try 'resetkeys' to start with an empty list of patterns",
  channelAfterAll:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any " +
    "effect. Try 'resetchannels' to start with an empty list of channels",
  noSuchPassword: "The password you are trying to remove from the user does not exist",
  badHash:
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
  argumentOfSubcommand: "Allowing first-arg of a subcommand is not supported",
} as const;

/** Whether a text has spaces or null characters, which names and patterns may not have. */
export function hasSpaces(text: string): boolean {
  return /[ \t-\r\0]/.test(text);
}

/** See the header. */
export class Selector {
  readonly commands = new CommandRights();
  allKeys = false;
  allChannels = false;
  keys: readonly KeyPattern[] = [];
  channels: readonly ChannelPattern[] = [];

  /** Whether it allows everything. */
  get isUnrestricted(): boolean {
    return this.allKeys && this.allChannels && this.commands.isAll;
  }

  /**
   * Applies a rule, such as `+get`, `~users:*` or `allchannels`.
   *
   * @returns What is wrong with the rule, in Redis's words; empty when it was applied.
   */
  apply(rule: string): string {
    switch (lowerCase(rule)) {
      case "allkeys":
      case "~*":
        return this.#setKeys(true);
      case "resetkeys":
        return this.#setKeys(false);
      case "allchannels":
      case "&*":
        return this.#setChannels(true);
      case "resetchannels":
        return this.#setChannels(false);
      case "allcommands":
      case "+@all":
        this.commands.allowAll();
        return "";
      case "nocommands":
      case "-@all":
        this.commands.allowNone();
        return "";
    }
    const sign = rule[0];
    if (sign === "~" || sign === "%") return this.#addKeys(rule);
    if (sign === "&") return this.#addChannels(rule.slice(1));
    if (sign !== "+" && sign !== "-") return RULE_ERRORS.syntax;
    if (rule[1] === "@") {
      const isKnown = this.commands.changeCategory(lowerCase(rule.slice(2)), sign === "+");
      return isKnown ? "" : RULE_ERRORS.unknownCommand;
    }
    return this.#changeCommand(rule.slice(1), sign === "+");
  }

  #setKeys(allKeys: boolean): string {
    this.allKeys = allKeys;
    this.keys = [];
    return "";
  }

  #setChannels(allChannels: boolean): string {
    this.allChannels = allChannels;
    this.channels = [];
    return "";
  }

  #addKeys(rule: string): string {
    if (this.allKeys) return RULE_ERRORS.keyAfterAll;
    let access = READ | WRITE;
    let pattern = rule.slice(1);
    if (rule.startsWith("%")) {
      // As Redis: each letter once, and without a `~` the pattern is empty.
      const [given, letters] = /^%(R|W|RW|WR)(?:~|$)/i.exec(rule) ?? [];
      if (given === undefined) return RULE_ERRORS.syntax;
      access = (/r/i.test(letters!) ? READ : 0) | (/w/i.test(letters!) ? WRITE : 0);
      pattern = rule.slice(given.length);
    }
    if (hasSpaces(pattern)) return RULE_ERRORS.syntax;
    const known = this.keys.find((each) => each.pattern === pattern);
    if (known !== undefined) known.access |= access;
    else this.keys = [...this.keys, { access, pattern, bytes: latin1Bytes(pattern) }];
    return "";
  }

  #addChannels(pattern: string): string {
    if (this.allChannels) return RULE_ERRORS.channelAfterAll;
    if (hasSpaces(pattern)) return RULE_ERRORS.syntax;
    if (!this.channels.some((each) => each.pattern === pattern)) {
      this.channels = [...this.channels, { pattern, bytes: latin1Bytes(pattern) }];
    }
    return "";
  }

  #changeCommand(text: string, isAllowed: boolean): string {
    const bar = text.lastIndexOf("|");
    const isOfArgument = isAllowed && bar >= 0;
    const command = commandOfRule(isOfArgument ? text.slice(0, bar) : text);
    if (command === undefined) return RULE_ERRORS.unknownCommand;
    if (!isOfArgument) {
      this.commands.change(command.name, isAllowed);
      return "";
    }
    if (command.name.includes("|")) return RULE_ERRORS.argumentOfSubcommand;
    const argument = text.slice(bar + 1);
    if (argument === "") return RULE_ERRORS.syntax;
    if (findByName(command.name)?.isContainer !== true) {
      this.commands.allowFirstArgument(command.name, argument);
      return "";
    }
    const subcommand = commandOfRule(text);
    if (subcommand === undefined) return RULE_ERRORS.unknownCommand;
    this.commands.change(subcommand.name, true);
    return "";
  }

  // -- as rules -------------------------------------------------------------------------------

  /** Its key patterns as ACL GETUSER gives them. */
  keyRules(): string[] {
    if (this.allKeys) return ["~*"];
    const signs = ["", "%R~", "%W~", "~"];
    return this.keys.map(({ access, pattern }) => `${signs[access]}${pattern}`);
  }

  /** Its channel patterns as ACL GETUSER gives them. */
  channelRules(): string[] {
    return this.allChannels ? ["&*"] : this.channels.map(({ pattern }) => `&${pattern}`);
  }

  /** The rules that make it from a new one, in Redis's order and form. */
  rules(): string[] {
    const channels = this.channelRules();
    return [
      ...this.keyRules(),
      ...(this.allChannels ? channels : ["resetchannels", ...channels]),
      ...this.commands.rules(),
    ];
  }

  /** As {@linkcode Selector.rules}; `%RW~*` stays what it is, and does not become `~*`, which forbids more patterns. */
  exactRules(): string[] {
    if (this.allKeys) return this.rules();
    return this.rules().map((rule) => (rule === "~*" ? "%RW~*" : rule));
  }
}
