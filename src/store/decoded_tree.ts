/**
 * The tree of a product, decoded as far as it can be: what the rules of check.ts are about.
 *
 * @module
 */

import { SLOT_COUNT } from "../hash/slot_id.ts";
import { decodeMigrateTask, type MigrateTaskRecord } from "../model/migrate_task.ts";
import { decodeProxy, type ProxyRecord } from "../model/proxy.ts";
import { RecordError } from "../model/record.ts";
import { decodeServer, type ServerRecord } from "../model/server.ts";
import { decodeSlot, type SlotRecord } from "../model/slot.ts";
import { numberedName } from "./paths.ts";
import { CONFIG, errorAt, type Problem, removable, removalOf, warningAt } from "./problem.ts";
import type { ProductTree, TreeFolder } from "./product_tree.ts";
import { compareSequence } from "./sequence.ts";

/** A record and the name under which it is stored. */
export interface Named<T> {
  readonly name: string;
  readonly record: T;
}

/** A server where it is stored, whatever its record says. */
export interface PlacedServer {
  readonly groupId: number;
  readonly addr: string;
  readonly record: ServerRecord;
}

/** What data a server reads. */
export interface ServerReads {
  /** The newest RDB version. */
  readonly rdb: number;
  /** What the server is: `Redis 7.0.15`. */
  readonly name: string;
}

/** Why a server cannot follow another, to be said after its address; `""`: it can, or it is not known. */
export function whyNotRead(own: ServerReads | undefined, master: ServerReads | undefined): string {
  if (own === undefined || master === undefined || own.rdb >= master.rdb) return "";
  return `is ${own.name}, which cannot read the data of ${master.name}`;
}

/** What a Redis server reports about itself. */
export interface ServerFacts {
  /** Its run id, whatever its address; `""`: it has none. */
  readonly runId: string;
  /** The master it follows, `host:port`; `""`: none. */
  readonly follows: string;
  /** Whether it is a codis-server, which places keys itself; left out: not asked. */
  readonly isCodis?: boolean;
  /** Whether it is a replica that takes writes all the same; left out: not. */
  readonly isWritableReplica?: boolean;
  /** Why it does not let proxies in as the user of clients; left out: it does, or was not asked. */
  readonly refusesClients?: string;
  /** Left out: not known. */
  readonly reads?: ServerReads | undefined;
  /** The code of its function libraries, by their names; left out: it has no functions, or was not asked. */
  readonly libraries?: ReadonlyMap<string, string> | undefined;
  /** Why it cannot be a server of a group, such as "is a sentinel"; left out: it can. */
  readonly unfit?: string;
}

/** What servers report about themselves, by their stored address; without those that did not answer. */
export type FactsByAddr = ReadonlyMap<string, ServerFacts>;

/** See the header. */
export interface DecodedTree {
  readonly tree: ProductTree;
  readonly facts: FactsByAddr;
  /** By the number in their name, in order; without those that cannot be read. */
  readonly slots: ReadonlyMap<number, SlotRecord>;
  /** The numbers of all slots that are stored, readable or not. */
  readonly slotIds: ReadonlySet<number>;
  readonly groupIds: ReadonlySet<number>;
  readonly servers: readonly PlacedServer[];
  readonly proxies: readonly Named<ProxyRecord>[];
  /** Oldest first. */
  readonly tasks: readonly Named<MigrateTaskRecord>[];
  /** The entries that cannot be read, or that no program reads. */
  readonly problems: readonly Problem[];
}

/** Decodes a tree. */
export function decodeTree(tree: ProductTree, facts: FactsByAddr): DecodedTree {
  const { paths } = tree;
  const problems: Problem[] = [];
  const slotIds = numbersIn(tree.slots.keys(), "slot_", SLOT_COUNT - 1, paths.slots, problems);
  const groupIds = numbersIn(tree.groups.keys(), "group_", Infinity, paths.servers, problems);
  const decode = <T>(
    folder: TreeFolder,
    path: string,
    decodeJson: (json: string) => T,
    problemAt: (path: string, problem: string) => Problem,
  ): Named<T>[] =>
    [...folder].flatMap(([name, json]) => {
      try {
        return [{ name, record: decodeJson(json) }];
      } catch (cause) {
        if (!(cause instanceof RecordError)) throw cause;
        problems.push(problemAt(`${path}/${name}`, cause.message));
        return [];
      }
    });
  const stored = [...slotIds].map((id): [string, string] => {
    const name = `slot_${id}`;
    return [name, tree.slots.get(name)!];
  });
  const idOf = (name: string) => numberedName(name, "slot_")!;
  const slots = decode(new Map(stored), paths.slots, decodeSlot, (path, problem) => {
    const id = idOf(path.slice(paths.slots.length + 1));
    return errorAt(path, problem, `${CONFIG} slot range-set ${id} ${id} <group_id> online`);
  }).map(({ name, record }) => [idOf(name), record] as const);
  const servers = [...groupIds].flatMap((groupId) => {
    const folder = tree.groups.get(`group_${groupId}`)!;
    return decode(folder, paths.group(groupId), decodeServer, badServer)
      .map(({ name, record }): PlacedServer => ({ groupId, addr: name, record }));
  });
  const tasks = decode(tree.migrateTasks, paths.migrateTasks, decodeMigrateTask, badTask);
  return {
    tree,
    facts,
    slots: new Map(slots.sort(([a], [b]) => a - b)),
    slotIds,
    groupIds,
    servers,
    proxies: decode(tree.proxies, paths.proxies, decodeProxy, badProxy),
    tasks: tasks.sort((a, b) => compareSequence(a.name, b.name)),
    problems,
  };
}

function badServer(path: string, problem: string): Problem {
  const fix = `${removalOf(path)}, then ${CONFIG} server add`;
  return removable(errorAt(path, problem, fix));
}

function badTask(path: string, problem: string): Problem {
  return removable(errorAt(path, problem, removalOf(path), { path }));
}

function badProxy(path: string, problem: string): Problem {
  const fix = `restart that proxy; if that process is surely gone, ${removalOf(path)}`;
  return removable(errorAt(path, problem, fix));
}

/** The numbers in names like `slot_12`; a name that is spelled otherwise is a problem. */
function numbersIn(
  names: Iterable<string>,
  prefix: string,
  max: number,
  path: string,
  problems: Problem[],
): Set<number> {
  const numbers = new Set<number>();
  for (const name of names) {
    const number = numberedName(name, prefix);
    if (number !== undefined && number <= max && name === `${prefix}${number}`) numbers.add(number);
    else {
      const problem = `nobody reads "${name}": names here are ${prefix}<number>`;
      const at = `${path}/${name}`;
      problems.push(removable(warningAt(at, problem, removalOf(at))));
    }
  }
  return numbers;
}
