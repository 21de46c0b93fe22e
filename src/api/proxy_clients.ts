/**
 * What `GET /clients` of a proxy answers: some of its clients, in an order, as CLIENT LIST names their fields.
 *
 * @module
 */

/** Which clients are wanted. */
export interface ClientsQuery {
  /** A part of the address, the name, the user, the last command or the library; empty: of all clients. */
  readonly search: string;
  readonly by: (typeof CLIENTS_ORDERS)[number];
  /** Whether the order is turned round. */
  readonly isReversed: boolean;
  readonly limit: number;
}

/** The orders, by the names of CLIENT LIST's fields. */
const CLIENTS_ORDERS = ["idle", "age", "tot-mem", "addr", "name", "user", "db", "cmd"] as const;

/** Most clients of one answer. */
const CLIENTS_MAX = 500;
/** Clients of an answer unless it is said. */
const CLIENTS_DEFAULT = 100;

/** See the header. */
export interface ClientsAnswer {
  readonly total: number;
  /** Those that the search finds. */
  readonly matching: number;
  readonly clients: readonly Readonly<Record<string, string>>[];
}

/** A parameter of an address that breaks a rule. */
interface WrongParameter {
  readonly field: string;
  readonly rule: string;
  readonly value: string;
}

/** The query in an address, or what is wrong with it. */
export function clientsQuery(params: URLSearchParams): ClientsQuery | WrongParameter {
  const name = params.get("by") ?? "idle";
  const by = CLIENTS_ORDERS.find((each) => each === name);
  if (by === undefined) return { field: "by", rule: CLIENTS_ORDERS.join(", "), value: name };
  const text = params.get("limit") ?? `${CLIENTS_DEFAULT}`;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > CLIENTS_MAX) {
    return { field: "limit", rule: `a whole number from 1 to ${CLIENTS_MAX}`, value: text };
  }
  const search = params.get("search") ?? "";
  return { search, by, isReversed: params.get("reversed") === "yes", limit };
}
