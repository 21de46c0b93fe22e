/**
 * Which arguments of a request nobody is shown: passwords.
 *
 * @module
 */

import type { Arguments } from "../resp/arguments.ts";
import { latin1 } from "../resp/latin1.ts";

/** Parameters of CONFIG whose values are passwords, or tell of them. */
export const SECRET_PARAMETERS: readonly string[] = [
  "requirepass",
  "masterauth",
  "masteruser",
  "tls-key-file-pass",
  "tls-client-key-file-pass",
];

/** Tells for each argument of a request of this command whether it is not shown. */
export function secretsOf(name: string, args: Arguments): (i: number) => boolean {
  const word = (i: number) => latin1(args.bytes, args.start(i), args.end(i)).toLowerCase();
  switch (name) {
    case "auth":
      return (i) => i > 0;
    case "acl|setuser":
      return (i) => i > 1;
    case "config|set":
      return (i) => i > 2 && i % 2 === 1 && SECRET_PARAMETERS.includes(word(i - 1));
    case "migrate": {
      const at = indexOf(args.count, (i) => i > 5 && /^auth2?$/.test(word(i)));
      return (i) => i > at && i <= at + (word(at) === "auth" ? 1 : 2);
    }
    case "hello":
      return secretsOfHello(args, word);
    default:
      return () => false;
  }
}

/** The first for which it holds; beyond all of them, when there is none. */
function indexOf(count: number, isWanted: (i: number) => boolean): number {
  for (let i = 0; i < count; i++) if (isWanted(i)) return i;
  return count;
}

/** Read as HELLO reads it: a client may be named as an option is. */
function secretsOfHello(args: Arguments, word: (i: number) => string): (i: number) => boolean {
  const secrets = new Set<number>();
  for (let at = 1; at < args.count; at++) { // from 1: the version may have been forgotten
    const option = word(at);
    if (option === "setname") at++;
    if (option !== "auth") continue;
    secrets.add(at + 1).add(at + 2);
    at += 2;
  }
  return (i) => secrets.has(i);
}
