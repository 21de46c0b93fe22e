/**
 * A few of many clients, for the page: those that a search finds, the first in an order. Only these are
 * described, so that ten thousand clients do not hold the thread up.
 *
 * @module
 */

import { textOfBytes } from "../../acl/users.ts";
import { clock } from "../../base/clock.ts";
import type { ListedClient } from "../client/client_info.ts";
import type { RouterShared } from "../shared.ts";
import { describeClient } from "./client_filter.ts";

/** Which clients are wanted. */
export interface ClientSearch {
  /** A part of the address, the name, the user, the last command or the library; empty: of all clients. */
  readonly search: string;
  readonly by: keyof typeof KEYS;
  readonly isReversed: boolean;
  readonly limit: number;
}

/** What one router has found. */
export interface FoundClients {
  readonly total: number;
  readonly matching: number;
  /** The first in the order, with what they are ordered by. */
  readonly first: readonly FoundClient[];
}

/** A client's line of CLIENT LIST. */
export interface FoundClient {
  readonly key: number | string;
  readonly line: string;
}

/** After all names. */
const NAMELESS = "\uffff";

/** By what each order puts clients: what is smaller comes first. Each worker has a clock of its own. */
const KEYS = {
  idle: ({ lastReadMs }: ListedClient) => clock.nowMs - lastReadMs,
  age: ({ createdMs }: ListedClient) => createdMs - clock.nowMs,
  "tot-mem": ({ unreadBytes, unsentBytes }: ListedClient) => -unreadBytes - unsentBytes,
  addr: ({ remote }: ListedClient) => remote,
  name: ({ info }: ListedClient) => info.name || NAMELESS,
  user: ({ user }: ListedClient) => user.name,
  db: ({ database }: ListedClient) => database,
  cmd: ({ lastCommand }: ListedClient) => lastCommand?.name ?? NAMELESS,
};

/** Searches the clients of one router. */
export function searchClients(shared: RouterShared, query: ClientSearch): FoundClients {
  const keyOf: (client: ListedClient) => number | string = KEYS[query.by];
  const search = query.search.toLowerCase();
  const found: { key: number | string; client: ListedClient }[] = [];
  for (const client of shared.clients.values()) {
    if (search === "" || textOf(client).includes(search)) {
      found.push({ key: keyOf(client), client });
    }
  }
  const first = inOrder(found, query);
  return {
    total: shared.clients.size,
    matching: found.length,
    first: first.map(({ key, client }) => ({ key, line: describeClient(client) })),
  };
}

function textOf({ remote, info, user, lastCommand }: ListedClient): string {
  const { name, libraryName } = info;
  return `${remote} ${name} ${textOfBytes(user.name)} ${lastCommand?.name ?? ""} ${libraryName}`
    .toLowerCase();
}

/** What several routers have found, as one would have. */
export function mergeFoundClients(all: readonly FoundClients[], query: ClientSearch): FoundClients {
  const sum = (figure: "total" | "matching") =>
    all.reduce((total, each) => total + each[figure], 0);
  const first = inOrder(all.flatMap(({ first }) => first), query);
  return { total: sum("total"), matching: sum("matching"), first };
}

function inOrder<T extends { readonly key: number | string }>(
  all: readonly T[],
  { isReversed, limit }: ClientSearch,
): T[] {
  const sign = isReversed ? -1 : 1;
  return all.toSorted((a, b) => a.key < b.key ? -sign : a.key > b.key ? sign : 0).slice(0, limit);
}
