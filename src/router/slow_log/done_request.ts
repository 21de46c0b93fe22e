/**
 * A request that is done, as it is told: what its client, its server and each of its stages were.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { copyWords } from "../../resp/arguments.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import type { NotedRequest } from "./noted_request.ts";
import { shownArguments } from "./shown_arguments.ts";
import { type HeldUp, type StageTimes, stageTimes } from "./stages.ts";
import type { RequestEnd, WatchedClient } from "./watched_client.ts";

/** See the header; plain values, which workers can tell each other. */
export interface DoneRequest {
  /** From when it was read until its reply was written, in microseconds. */
  readonly usecs: number;
  /** Of them, what each stage took; they add up. */
  readonly stages: StageTimes;
  /** As in the command table. */
  readonly command: string;
  readonly database: number;
  /** Of the client: address, name, user. */
  readonly client: string;
  readonly clientName: string;
  readonly user: string;
  /** The server that answered it, of several the one that was last; empty for none. */
  readonly server: string;
  /** -1 for none, or several. */
  readonly slot: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
  readonly end: RequestEnd;
}

/** One that is shown with what it has asked. */
export interface ShownRequest extends DoneRequest {
  /** Cut, without passwords; one character for each byte. */
  readonly args: readonly string[];
}

/** Shows a request that is done, by the beginning of its bytes. Copies what it needs. */
export function showRequest(done: DoneRequest, bytes: Uint8Array): ShownRequest {
  return { ...done, args: shownArguments(done.command, bytes) };
}

/** Describes a request that was noted when its reply was written. */
export function describeNoted(note: NotedRequest, loop: HeldUp): DoneRequest {
  return {
    usecs: Math.round((note.writtenMs - note.readMs) * 1000),
    stages: stageTimes(note, note.writtenMs, note.networkMs, loop),
    command: note.command!.name,
    database: note.database,
    client: note.client,
    clientName: note.clientName,
    user: note.user,
    server: note.server,
    slot: note.slotId,
    requestBytes: note.requestBytes,
    replyBytes: note.replyBytes,
    end: note.end,
  };
}

/** Describes a command that its client has sent last, and that was answered at once. */
export function describeAtOnce(
  { name: command }: Command,
  { remote, info, user, database, parser: args }: WatchedClient,
  replyBytes: number,
): { readonly done: DoneRequest; readonly bytes: Uint8Array } {
  const bytes = encodeRequest(copyWords(args));
  const done: DoneRequest = {
    usecs: 0,
    stages: {},
    command,
    database,
    client: remote,
    clientName: info.name,
    user: user.name,
    server: "",
    slot: -1,
    requestBytes: bytes.length,
    replyBytes,
    end: "answered",
  };
  return { done, bytes };
}
