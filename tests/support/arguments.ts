/**
 * Requests for tests of code that takes parsed arguments.
 *
 * @module
 */

import type { Arguments } from "../../src/resp/arguments.ts";

/** Arguments as the parser would yield them, with foreign bytes around and between. */
export function argumentsOf(...words: readonly (string | Uint8Array)[]): Arguments {
  const encoded = words.map((word) =>
    typeof word === "string" ? new TextEncoder().encode(word) : word
  );
  const starts: number[] = [];
  let length = 3;
  for (const word of encoded) {
    starts.push(length);
    length += word.length + 2;
  }
  const bytes = new Uint8Array(length + 5).fill(0x7b); // a brace would be noticed by key hashing
  encoded.forEach((word, i) => bytes.set(word, starts[i]!));
  return {
    bytes,
    count: encoded.length,
    start: (i) => starts[i]!,
    end: (i) => starts[i]! + encoded[i]!.length,
  };
}

/** The arguments of a line, cut at spaces; `""` stands for an empty one. */
export function argumentsOfLine(line: string): Arguments {
  return argumentsOf(...line.split(" ").map((word) => (word === '""' ? "" : word)));
}
