/**
 * The replies of COMMAND INFO and COMMAND DOCS, made from the table in the shape that Redis uses.
 *
 * @module
 */

import { Encoder, type Protocol } from "../resp/encoder.ts";
import { ADDED_ROWS } from "./codis_commands.ts";
import type { Command, KeySpec } from "./command.ts";
import { COMMANDS, findByName } from "./command_table.ts";
import { isOlder } from "../base/version.ts";
import { TABLE_VERSION } from "./redis_version.ts";
import redisDocs from "./docs.json" with { type: "json" };

/** A part of a server's reply to COMMAND DOCS, in the client's protocol. */
export interface ServerDocs {
  /** How many commands it documents. */
  readonly count: number;
  /** Their names and documentation, one after the other. */
  readonly entries: Uint8Array;
}

/** No documentation. */
export const NO_DOCS: ServerDocs = { count: 0, entries: new Uint8Array(0) };

/** A documentation entry as `docs.json` holds it: Redis's own fields. */
type Doc = { readonly [field: string]: unknown };

/**
 * Encodes the reply of COMMAND and COMMAND INFO: one description each, null for an unknown one.
 *
 * @param commands The rows in the order asked for.
 * @param version Subcommands that came with a later Redis are left out.
 * @param learned Rows that only the servers know; subcommands are taken from them, too.
 */
export function encodeCommandInfo(
  commands: readonly (Command | undefined)[],
  protocol: Protocol,
  version = TABLE_VERSION,
  learned: readonly Command[] = [],
): Uint8Array {
  return new Description(protocol, version, learned).infos(commands).done();
}

/**
 * Encodes the reply of COMMAND DOCS for these rows: a map of documentation by name.
 *
 * @param version Subcommands that came with a later Redis are left out.
 * @param more Documentation of others, from a server.
 */
export function encodeCommandDocs(
  commands: readonly Command[],
  protocol: Protocol,
  version = TABLE_VERSION,
  more: ServerDocs = NO_DOCS,
): Uint8Array {
  const text = new Description(protocol, version, []).map(commands.length + more.count);
  for (const command of commands) text.bulk(command.name).doc(docOf(command));
  return text.raw(more.entries).done();
}

/**
 * The rows of a bare COMMAND, COMMAND DOCS, COMMAND COUNT or COMMAND LIST.
 *
 * @param version Of the servers: what came with a later one is left out.
 */
export function listedCommands(version = TABLE_VERSION): Command[] {
  return COMMANDS.filter((row) =>
    !row.name.includes("|") && row.origin !== "http" && isKnownTo(version, row)
  );
}

/** Whether servers of a version have a command, or the proxy answers it itself. */
export function isKnownTo(version: string, command: Command): boolean {
  if (command.origin !== "redis") return true;
  if (command.handling === "local" && !command.isClusterCommand) return true;
  return !isOlder(version, String(docOf(command).since));
}

/** The group that Redis documents a command in, such as `string` or `sorted-set`. */
export function groupOf(command: Command): string {
  return String(docOf(command).group);
}

function docOf(command: Command): Doc {
  const container = command.name.split("|")[0]!;
  const docs = redisDocs as Record<string, Doc>;
  const doc = docs[command.name] ??
    (docs[container]?.subcommands as Record<string, Doc> | undefined)?.[command.name];
  if (doc === undefined) return addedDoc(command.name);
  const added = command.subcommands.map((id) => COMMANDS[id]!).filter((row) =>
    row.origin !== "redis"
  );
  if (added.length === 0) return doc;
  const extra = Object.fromEntries(added.map((row) => [row.name, addedDoc(row.name)]));
  return { ...doc, subcommands: { ...(doc.subcommands as Record<string, Doc>), ...extra } };
}

function addedDoc(name: string): Doc {
  const added = ADDED_ROWS.find(({ row }) => row[0] === name);
  if (added === undefined) throw new Error(`command "${name}" has no documentation`);
  return { summary: added.summary, since: added.since, group: added.group };
}

/** Builds a reply, with methods for the parts of descriptions. */
class Description extends Encoder {
  readonly #version: string;
  readonly #learned: readonly Command[];

  constructor(protocol: Protocol, version: string, learned: readonly Command[]) {
    super(protocol);
    this.#version = version;
    this.#learned = learned;
  }

  statuses(words: readonly string[]): this {
    this.set(words.length);
    for (const word of words) this.simple(word);
    return this;
  }

  // -- COMMAND INFO --

  infos(commands: readonly (Command | undefined)[]): this {
    this.array(commands.length);
    for (const command of commands) {
      if (command === undefined) this.null();
      else this.info(command);
    }
    return this;
  }

  info(command: Command): this {
    this.array(10).bulk(command.name).integer(command.reportedArity).statuses(command.flags);
    // Redis reports static positions even for commands that have movable keys.
    const [firstKey, lastKey, keyStep] = command.reportedKeys;
    this.integer(firstKey).integer(lastKey).integer(keyStep).statuses(command.categories);
    this.set(command.tips.length);
    for (const tip of command.tips) this.bulk(tip);
    this.set(command.keySpecs.length);
    for (const spec of command.keySpecs) this.keySpec(spec);
    const subcommands = command.subcommands.map((id) => COMMANDS[id]!)
      .filter((row) => isKnownTo(this.#version, row));
    const names = new Set(subcommands.map(({ name }) => name));
    subcommands.push(
      ...this.#learned.filter(({ name }) =>
        name.startsWith(`${command.name}|`) && !names.has(name)
      ),
    );
    this.set(subcommands.length);
    for (const row of subcommands) this.info(row);
    return this;
  }

  keySpec(spec: KeySpec): this {
    this.map(spec.notes === undefined ? 3 : 4);
    if (spec.notes !== undefined) this.bulk("notes").bulk(spec.notes);
    this.bulk("flags").statuses(spec.flags);
    for (const part of ["begin_search", "find_keys"] as const) {
      this.bulk(part).map(2).bulk("type").bulk(spec[part].type).bulk("spec");
      this.fields(spec[part].spec);
    }
    return this;
  }

  fields(fields: Doc): this {
    const entries = Object.entries(fields);
    this.map(entries.length);
    for (const [field, value] of entries) this.bulk(field).value(value);
    return this;
  }

  value(value: unknown): this {
    return typeof value === "number" ? this.integer(value) : this.bulk(String(value));
  }

  // -- COMMAND DOCS --

  doc(doc: Doc): this {
    const entries = Object.entries(doc);
    this.map(entries.length);
    for (const [field, value] of entries) this.bulk(field).docField(field, value);
    return this;
  }

  docField(field: string, value: unknown): this {
    switch (field) {
      case "flags":
      case "doc_flags":
        return this.statuses(value as string[]);
      case "history":
        return this.history(value as string[][]);
      case "arguments":
        this.array((value as Doc[]).length);
        for (const argument of value as Doc[]) this.doc(argument);
        return this;
      case "subcommands": {
        const entries = Object.entries(value as Record<string, Doc>)
          .filter(([name]) => isKnownTo(this.#version, findByName(name)!));
        this.map(entries.length);
        for (const [name, doc] of entries) this.bulk(name).doc(doc);
        return this;
      }
    }
    return this.value(value);
  }

  history(changes: readonly (readonly string[])[]): this {
    this.set(changes.length);
    for (const change of changes) {
      this.array(change.length);
      for (const text of change) this.bulk(text);
    }
    return this;
  }
}
