/**
 * A scripted server that answers COMMAND: as a real server did (tests/fixtures/commands), or with commands
 * that a test makes up.
 *
 * @module
 */

import { answerNothing, FakeRedis, type FakeReply } from "./fake_redis.ts";

/** A command as COMMAND describes it: its fields in their order. */
export type CommandFields = readonly unknown[];

/** What the real server of a file in tests/fixtures/commands answered. */
export function recordedCommands(server: string): CommandFields[] {
  const url = new URL(`../fixtures/commands/${server}.json`, import.meta.url);
  return JSON.parse(Deno.readTextFileSync(url));
}

/** How a made-up command differs from one that reads the key at its first argument. */
export interface MadeUp {
  readonly arity?: number;
  readonly flags?: readonly string[];
  /** First key, last key and step. */
  readonly keys?: readonly [number, number, number];
  readonly categories?: readonly string[];
  readonly tips?: readonly string[];
  /** Left out: as first key, last key and step say. */
  readonly specs?: readonly unknown[];
  readonly subcommands?: readonly CommandFields[];
}

/** A made-up command, as Redis 7 describes its own. */
export function madeUp(name: string, change: MadeUp = {}): CommandFields {
  const [first, last, step] = change.keys ?? [1, 1, 1];
  return [
    name,
    change.arity ?? -2,
    change.flags ?? ["readonly"],
    first,
    last,
    step,
    change.categories ?? ["@read"],
    change.tips ?? [],
    change.specs ?? (first === 0 ? [] : [keySpec(first, last < 0 ? last : last - first, step)]),
    change.subcommands ?? [],
  ];
}

function keySpec(index: number, lastkey: number, keystep: number): unknown {
  return {
    flags: ["RO"],
    begin_search: { type: "index", spec: { index } },
    find_keys: { type: "range", spec: { lastkey, keystep, limit: 0 } },
  };
}

/** Encodes any value as Redis answers it in RESP2, where a map is a list. */
export function encodeValue(value: unknown): string {
  if (value === null) return "$-1\r\n";
  if (typeof value === "number") return `:${value}\r\n`;
  if (typeof value === "string") {
    return `$${new TextEncoder().encode(value).length}\r\n${value}\r\n`;
  }
  const items = Array.isArray(value) ? value : Object.entries(value as object).flat();
  return `*${items.length}\r\n${items.map(encodeValue).join("")}`;
}

/** A server that knows these commands; what it is asked otherwise, it answers with its request. */
export class KnowingServer extends FakeRedis {
  /** `null`: it may not say. A test may change it, for a server that is replaced. */
  commands: readonly CommandFields[] | null;
  /** Replies by name in lower case, to requests that are not answered by their echo. */
  readonly replies: Record<string, FakeReply> = {};
  /** Replies that are to come later. */
  readonly blocks: Record<string, Promise<string>> = {};
  /** What it answers to COMMAND DOCS. */
  documents: Record<string, unknown> = {};
  /** Makes such replies of the request. */
  readonly answers: Record<string, (words: string[]) => FakeReply> = {};

  constructor(commands: readonly CommandFields[] | null) {
    super((words) => this.#answer(words));
    this.commands = commands;
  }

  #answer(words: string[]): FakeReply | Promise<FakeReply> {
    const name = words[0]!.toLowerCase();
    if (name === "command" && words[1] === "DOCS") return encodeValue(this.documents);
    if (name === "command") {
      return this.commands === null
        ? "-NOPERM this user has no permissions to run the 'command' command\r\n"
        : encodeValue(this.commands);
    }
    const later = this.blocks[name];
    if (later !== undefined) return later;
    const reply = this.replies[name] ?? this.answers[name]?.(words);
    if (reply !== undefined) return reply;
    if (["ping", "hello", "select", "info"].includes(name)) return answerNothing(words);
    return encodeValue(words);
  }

  /** Requests that it got, without those that it is asked for itself. */
  get asked(): string[] {
    return this.received.filter(([name]) =>
      !["COMMAND", "HELLO", "INFO", "PING", "SELECT"].includes(name!)
    )
      .map((words) => words.join(" "));
  }

  /** How often it was asked what it knows. */
  get questions(): number {
    return this.received.filter(([name]) => name === "COMMAND").length;
  }
}
