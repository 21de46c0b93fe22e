/**
 * The numbers by which Deno and the system know a connection; Deno keeps them with it, for itself.
 *
 * @module
 */

const PREFIX = "Deno.internal.";

/** The same for all connections; looked for once each. */
const symbols = new Map<string, symbol>();

/**
 * A number of a connection: `rid` is Deno's own, `fd` the descriptor, which is there when it was accepted.
 *
 * @returns `undefined` where Deno keeps none as it is known here.
 */
export function internalNumber(conn: object, name: "rid" | "fd"): number | undefined {
  let symbol = symbols.get(name);
  if (symbol === undefined) {
    symbol = Object.getOwnPropertySymbols(conn).find(({ description }) =>
      description === PREFIX + name
    );
    if (symbol === undefined) return undefined;
    symbols.set(name, symbol);
  }
  const value = (conn as Record<symbol, unknown>)[symbol];
  return typeof value === "number" ? value : undefined;
}
