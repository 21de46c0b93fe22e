/**
 * What every program of this folder has in common: where Redis is, and one line of JSON as its outcome.
 *
 * @module
 */

/** Where Redis is: the program's arguments. */
export const host = Deno.args[0] ?? "127.0.0.1";
export const port = Number(Deno.args[1] ?? 6379);
/** The same as options of most libraries. */
export const connection = { host, port };

/** Prints the outcome and ends the program, whatever connections and timers a library left. */
export function report(outcome: Record<string, unknown>): never {
  console.log(JSON.stringify(outcome));
  Deno.exit(0);
}
