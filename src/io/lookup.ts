/**
 * The addresses of a host name, looked up each time as the system does it: `/etc/hosts`, then DNS.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { countedToTheLimit, openReserve } from "../base/free_descriptors.ts";

/** Lookups under way, by name: those who want the same at the same time share one. */
const pending = new Map<string, Promise<readonly string[]>>();

/**
 * Looks a name up; nothing is remembered. An address literal is its own answer.
 *
 * @param hostname Name or address literal, without brackets.
 * @returns Addresses in the order in which to try them: IPv6 and IPv4 by turns, the system's first choice
 * first.
 * @throws {Error} When the name has no address now; the message names it.
 */
export function lookUp(hostname: string): Promise<readonly string[]> {
  // A zone (`fe80::1%eth0`) is part of an address.
  if (isIP(hostname.replace(/%.*/, "")) !== 0) return Promise.resolve([hostname]);
  let found = pending.get(hostname);
  if (found === undefined) {
    found = ask(hostname).finally(() => pending.delete(hostname));
    pending.set(hostname, found);
  }
  return found;
}

async function ask(hostname: string): Promise<readonly string[]> {
  const counted = countedToTheLimit();
  try {
    // As the system sorts them: it knows which addresses this machine can reach.
    return byTurns(await lookup(hostname, { all: true, verbatim: true }));
  } catch (error) {
    // Descriptors were counted meanwhile, and it found none.
    if (counted !== countedToTheLimit()) return await ask(hostname);
    const code = (error as { code?: string }).code ?? "";
    // Without a descriptor the system finds no name, either.
    const reserve = openReserve();
    reserve?.close();
    const cause = reserve === undefined
      ? "cannot be looked up now: too many open files"
      : CAUSES[code] ?? (code || (error as Error).message);
    throw new Error(`the name "${hostname}" ${cause}`, { cause: error });
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOTFOUND: "has no address",
  EAI_AGAIN: "cannot be looked up now: no name server answers",
};

/** Mixes the two families, so that one that leads nowhere costs the time of one attempt only. */
function byTurns(found: readonly { address: string; family: number }[]): readonly string[] {
  const first = found[0]?.family;
  const one = found.filter(({ family }) => family === first);
  const other = found.filter(({ family }) => family !== first);
  const mixed = one.flatMap((each, i) => i < other.length ? [each, other[i]!] : [each]);
  return [...mixed, ...other.slice(one.length)].map(({ address }) => address);
}
