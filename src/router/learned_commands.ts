/**
 * Commands that the table has not, but the servers have: newer than Redis 7.0, of a module, or of a fork.
 *
 *      not in the table ─► servers asked? ─ no ─► COMMAND to each of them; the client waits, bounded
 *                              │ yes
 *                              ▼
 *      known to all of them ─► what they say, or an operator, decides      (command/learned_row.ts)
 *      known to some ────────► refused, with the addresses of the others
 *      known to none ────────► unknown command
 *
 * A command that the table has too may have got more arguments in a later version: it is let through with
 * those when every server takes them.
 *
 * @module
 */

import type { Command } from "../command/command.ts";
import { buildCommand, type TableRow } from "../command/command_row.ts";
import { COMMANDS, findByName } from "../command/command_table.ts";
import type { HandlingRow } from "../command/handling.ts";
import { type AllowedWay, handleLearned, refused } from "../command/learned_row.ts";
import type { Arguments } from "../resp/arguments.ts";
import { latin1 } from "../resp/latin1.ts";
import type { Master, Server } from "./backends/server.ts";

/** Commands that can be learned; what servers know beyond that stays unknown. */
export const LEARNED_MAX = 512;
/** Places for counters by a command's id: those of the table, and those that are learned. */
export const COMMAND_IDS = COMMANDS.length + LEARNED_MAX;
/** Longer names than this are not looked up, however long a client's first argument is. */
const NAME_MAX_BYTES = 64;
/** Addresses that an error names. */
const ADDRESSES_SHOWN = 3;

/** What every server says. */
type Knowledge = readonly {
  readonly server: Server;
  readonly rows: ReadonlyMap<string, TableRow>;
}[];

const NOTHING: ReadonlyMap<string, Command> = new Map();

/** See the header. */
export class LearnedCommands {
  readonly #masters: () => readonly Master[];
  /** A name has the same id as long as the router is there. */
  readonly #ids = new Map<string, number>();
  #rows = NOTHING;
  /** What the rows were made of. */
  #madeOf: Knowledge = [];
  #allowed: ReadonlyMap<string, AllowedWay> = new Map();
  #isStale = false;

  /** @param masters The servers in use. */
  constructor(masters: () => readonly Master[]) {
    this.#masters = masters;
  }

  /** Whether every server has said what it knows, or is slow to. */
  get isSettled(): boolean {
    return this.#masters().every(({ server }) => server.commands.isSettled);
  }

  /** Whether there are servers, and none of them has ever said what it knows. */
  get isInTheDark(): boolean {
    const masters = this.#masters();
    return masters.length > 0 && masters.every(({ server }) => server.commands.rows === null);
  }

  /** Asks those servers that have not been asked yet; `answer` is called once, at once or later. */
  ask(answer: () => void): void {
    const unknown = this.#masters().filter(({ server }) => !server.commands.isSettled);
    let left = unknown.length;
    if (left === 0) return answer();
    for (const { server } of unknown) {
      server.commands.ask(() => {
        if (--left === 0) answer();
      });
    }
  }

  /** Says what operators have allowed, by name in lower case. */
  allow(allowed: ReadonlyMap<string, AllowedWay>): void {
    this.#allowed = allowed;
    this.#isStale = true;
  }

  /**
   * Finds the row of a request as far as the servers have said what they know; a container's own row when it
   * has no such subcommand. Borrows the arguments until it returns.
   */
  find(args: Arguments): Command | undefined {
    const name = wordAt(args, 0);
    if (name === "") return undefined;
    const subcommand = args.count > 1 ? wordAt(args, 1) : "";
    const rows = this.#current();
    return (subcommand === "" ? undefined : rows.get(`${name}|${subcommand}`)) ?? rows.get(name);
  }

  /** The row of a name in lower case, as in `hexpire` or `script|show`. */
  byName(name: string): Command | undefined {
    return this.#current().get(name);
  }

  /** The rows of all commands that the table has not and every server has. */
  get all(): readonly Command[] {
    return [...this.#current().values()].filter(({ origin, name }) =>
      origin === "learned" && this.#madeOf.every(({ rows }) => rows.has(name))
    );
  }

  /** A server that has said what it knows; undefined when there is none. */
  get anyServer(): Server | undefined {
    return this.#masters().find(({ server }) => server.commands.rows !== null)?.server;
  }

  /** The name of each learned id, for counters. */
  get names(): Iterable<readonly [name: string, id: number]> {
    return this.#ids;
  }

  #current(): ReadonlyMap<string, Command> {
    if (this.#isStale || this.#hasChanged()) {
      this.#madeOf = this.#masters().flatMap(({ server }) => {
        const { rows } = server.commands;
        return rows === null ? [] : [{ server, rows }];
      });
      this.#isStale = false;
      this.#rows = this.#make(this.#madeOf);
    }
    return this.#rows;
  }

  /** Whether servers say something else than what the rows were made of. Allocates nothing. */
  #hasChanged(): boolean {
    let count = 0;
    for (const { server } of this.#masters()) {
      const { rows } = server.commands;
      if (rows === null) continue;
      const made = this.#madeOf[count++];
      if (made?.server !== server || made.rows !== rows) return true;
    }
    return count !== this.#madeOf.length;
  }

  #make(knowledge: Knowledge): ReadonlyMap<string, Command> {
    const made = new Map<string, Command>();
    const names = new Set(knowledge.flatMap(({ rows }) => [...rows.keys()]));
    for (const name of names) {
      const known = findByName(name);
      const row = known === undefined
        ? this.#learn(name, knowledge, names)
        : withMoreArguments(known, knowledge);
      if (row !== undefined) made.set(name, row);
    }
    return made;
  }

  #learn(name: string, knowledge: Knowledge, names: ReadonlySet<string>): Command | undefined {
    const id = this.#idOf(name);
    if (id === undefined) return undefined;
    const knowing = knowledge.filter(({ rows }) => rows.has(name));
    const row = knowing[0]!.rows.get(name)!;
    // Subcommands are found by their names; here, only whether there are any is of interest.
    const isContainer = [...names].some((other) => other.startsWith(`${name}|`));
    const build = (built: TableRow, own: HandlingRow) => {
      const command = buildCommand({ id, origin: "learned", row: built, subcommands: [] }, own);
      return isContainer ? { ...command, isContainer } : command;
    };
    if (knowing.length < knowledge.length) {
      const others = knowledge.filter(({ rows }) => !rows.has(name));
      return build(row, refused(`not all servers know it: ${addressesOf(others)} do not`));
    }
    const different = knowing.filter(({ rows }) => placesOf(rows.get(name)!) !== placesOf(row));
    if (different.length > 0) {
      const where = addressesOf([knowing[0]!, ...different]);
      return build(row, refused(`its keys are at different places for the servers ${where}`));
    }
    const { row: decided, own } = handleLearned(
      withLooseArity(row, knowing.map(({ rows }) => rows.get(name)![1])),
      this.#allowed.get(name),
    );
    return build(decided, own);
  }

  #idOf(name: string): number | undefined {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    if (this.#ids.size >= LEARNED_MAX) return undefined;
    const id = COMMANDS.length + this.#ids.size;
    this.#ids.set(name, id);
    return id;
  }
}

/** A row of the table with the arguments that all servers take; undefined when they take no others. */
function withMoreArguments(command: Command, knowledge: Knowledge): Command | undefined {
  if (command.handling !== "forward" || command.origin !== "redis") return undefined;
  const theirs = knowledge.map(({ rows }) => rows.get(command.name));
  if (theirs.some((row) => row === undefined)) return undefined;
  const arities = theirs.map((row) => row![1]);
  if (arities.some((arity) => arity >= 0 || -arity > Math.abs(command.arity))) return undefined;
  if (arities[0] === command.arity) return undefined;
  const [first, last, step] = command.reportedKeys;
  if (theirs.some((row) => row![3] !== first || row![4] !== last || row![5] !== step)) {
    return undefined;
  }
  const arity = Math.max(...arities);
  return { ...command, arity, reportedArity: arity };
}

/** The arity with which no server's arguments are refused: each of them checks its own. */
function withLooseArity(row: TableRow, arities: readonly number[]): TableRow {
  if (arities.every((arity) => arity === row[1])) return row;
  const [name, , ...rest] = row;
  return [name, -Math.min(...arities.map(Math.abs)), ...rest];
}

/** What two servers must agree on. */
function placesOf([, , flags, firstKey, lastKey, keyStep]: TableRow): string {
  return `${firstKey} ${lastKey} ${keyStep} ${flags.includes("movablekeys")}`;
}

function addressesOf(knowledge: Knowledge): string {
  const shown = knowledge.slice(0, ADDRESSES_SHOWN).map(({ server }) => server.address);
  const more = knowledge.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** An argument in lower case; empty when it is too long for a name. */
function wordAt(args: Arguments, i: number): string {
  const [start, end] = [args.start(i), args.end(i)];
  return end - start > NAME_MAX_BYTES ? "" : latin1(args.bytes, start, end).toLowerCase();
}
