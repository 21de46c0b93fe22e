/**
 * A request that is reported: traced, or written to the access log.
 *
 * @module
 */

import { AccessedKeys, findAccessedKeys } from "../../acl/accessed_keys.ts";
import type { Command } from "../../command/command.ts";
import type { BeginningOfArguments } from "../monitor/monitor_filter.ts";
import type { DoneRequest } from "../slow_log/done_request.ts";
import type { NotedRequest } from "../slow_log/noted_request.ts";
import { BeginningArguments } from "../slow_log/shown_arguments.ts";

/** See the header; plain values. */
export interface ReportedRequest extends DoneRequest {
  /** When its reply was written, in Unix milliseconds with fractions. */
  readonly atMs: number;
  /** For how many requests it stands; 0: it was not sampled, only slow. */
  readonly sample: number;
  readonly isSlow: boolean;
  /** Whether the reply was an error, of a server or of the proxy. */
  readonly isError: boolean;
  /** How many keys it names; -1: not known. */
  readonly keys: number;
}

const KEYS = new AccessedKeys();

/** How many keys a request names, as far as its beginning says. */
export function keyCountOf(command: Command, args: BeginningOfArguments): number {
  if (command.keyPlaces === "none") return 0;
  if (command.singleKey > 0) return 1;
  if (args.announced === 0) return -1;
  if (command.keyPlaces === "static") {
    const { firstKey, lastKey, keyStep } = command;
    const last = lastKey < 0 ? args.announced + lastKey : lastKey;
    return Math.max(0, Math.floor((last - firstKey) / keyStep) + 1);
  }
  if (args.count < args.announced) return -1;
  findAccessedKeys(command, args, KEYS);
  return KEYS.count;
}

/** How many keys a request names that was noted. */
export function keysOfNoted({ sampledKeys, command, beginningBytes }: NotedRequest): number {
  if (sampledKeys > 0) return sampledKeys;
  return keyCountOf(command!, new BeginningArguments(beginningBytes));
}
