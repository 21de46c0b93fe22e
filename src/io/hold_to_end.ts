/**
 * Lets the last reply and the end of a connection reach the client as one.
 *
 *     without:  reply ──► client asks for more ──► lost
 *                 end ──────────► too late
 *     with:     reply + end ──► client knows, and asks elsewhere
 *
 * Two calls of the system are two segments, and on a busy machine much time may pass between them. With TCP_CORK the
 * system keeps what is written until there is a whole segment, the end, or 0.2 s are over. Deno cannot set that, the
 * C library can; where it may not be called, the end follows behind the reply as fast as it can.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import { internalNumber } from "./internal_number.ts";

// Linux's numbers.
const IPPROTO_TCP = 6;
const TCP_CORK = 3;

const SYMBOLS = {
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

const log = logger("proxy");

/** This thread's, which keeps it; undefined before it is needed, null where there is none. */
let library: Deno.DynamicLibrary<typeof SYMBOLS> | null | undefined;

/** What is written to an accepted connection from now on goes out with its end. */
export function holdToEnd(conn: object): void {
  const descriptor = internalNumber(conn, "fd");
  if (descriptor === undefined) return;
  if (library === undefined) library = openLibrary();
  if (library === null) return;
  const isOn = new Int32Array([1]);
  const bytes = new Uint8Array(isOn.buffer);
  library.symbols.setsockopt(descriptor, IPPROTO_TCP, TCP_CORK, bytes, bytes.length);
}

function openLibrary(): Deno.DynamicLibrary<typeof SYMBOLS> | null {
  try {
    return Deno.dlopen("libc.so.6", SYMBOLS);
  } catch (error) {
    log.debug("last replies are not held for the end: {cause}", {
      cause: (error as Error).message,
    });
    return null;
  }
}
