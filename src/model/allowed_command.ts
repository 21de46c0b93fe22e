/**
 * The record of the commands that an operator lets through to the servers. Codis 2.0 has none.
 *
 * @module
 */

import { decodeRecord, encodeRecord, listOf, recordOf, text } from "./record.ts";

/** One command that only the servers know, and how it is sent. */
export interface AllowedCommand {
  /** In lower case, a subcommand as `container|word`. */
  readonly name: string;
  /** `key=N`, `block=N`, `any` or `all`. */
  readonly way: string;
}

/** Most commands that a product may allow. */
export const ALLOWED_COMMANDS_MAX = 512;
/** Longest name, in characters. */
const NAME_CHARACTERS_MAX = 64;

/** The stored form of an {@linkcode AllowedCommand}. */
export const ALLOWED_COMMAND_SHAPE = recordOf<AllowedCommand>({ name: text, way: text });

interface Stored {
  readonly commands: readonly AllowedCommand[] | null;
}

const SHAPE = recordOf<Stored>({ commands: listOf(ALLOWED_COMMAND_SHAPE) });

/**
 * Reads the commands from their JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeAllowedCommands(json: string): readonly AllowedCommand[] {
  return decodeRecord(SHAPE, json, "allowed commands").commands ?? [];
}

/** Writes the commands' JSON. */
export function encodeAllowedCommands(commands: readonly AllowedCommand[]): string {
  return encodeRecord(SHAPE, { commands });
}

/** A command's name as it is stored, of `FT.CONFIG GET` or `ft.config|get`; empty when it is none. */
export function storedCommandName(text: string): string {
  const name = text.trim().toLowerCase().replace(/\s+/, "|");
  return /^[!-{}~]+(\|[!-{}~]+)?$/.test(name) && name.length <= NAME_CHARACTERS_MAX ? name : "";
}

/** A stored name as people write it: `FT.CONFIG GET`. */
export function shownCommandName(name: string): string {
  return name.toUpperCase().replace("|", " ");
}

/** The rule of {@linkcode isAllowedWay}, for messages. */
export const ALLOWED_WAYS = "key=N or block=N, N from 1 on, any or all";

/** Whether a text says how a command is sent. */
export function isAllowedWay(text: string): boolean {
  return /^(any|all|(key|block)=[1-9]\d{0,3})$/.test(text);
}
