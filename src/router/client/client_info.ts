/**
 * What a client says of itself, by HELLO and CLIENT commands, and what CLIENT LIST says of it.
 *
 * @module
 */

import type { Blocked } from "../blocking/blocked.ts";
import type { Command } from "../../command/command.ts";
import type { Protocol } from "../../resp/encoder.ts";
import type { ClientSubscriptions } from "../pubsub/client_subscriptions.ts";
import type { TrackingOptions } from "./tracking_options.ts";

/** Names and flags of one client. */
export interface ClientInfo {
  readonly name: string;
  readonly libraryName: string;
  readonly libraryVersion: string;
  readonly isNoEvict: boolean;
  readonly isNoTouch: boolean;
  /** Whether it wants to be told before its connection is closed. */
  readonly hearsOfMoves: boolean;
  /** Whether it wants to be told where the slots of a cluster go. */
  readonly hearsOfSlots: boolean;
}

/** A client that has said nothing yet. */
export const ANONYMOUS: ClientInfo = {
  name: "",
  libraryName: "",
  libraryVersion: "",
  isNoEvict: false,
  isNoTouch: false,
  hearsOfMoves: false,
  hearsOfSlots: false,
};

/**
 * Where a client is in its life.
 *
 *      open ── end of input, QUIT, protocol error ─► draining ── all replies sent ─► closed
 *        └───────────────── socket lost, deadline, overflow ───────────────────────────▲
 */
export type ClientState = "open" | "draining" | "closed";

/** What CLIENT LIST says of a client's extras. */
export interface ListedExtras {
  readonly isMonitor: boolean;
  readonly tracking: { readonly options: TrackingOptions; readonly isBroken: boolean } | null;
}

/** A client as it is listed, and can be closed. Times are clock milliseconds. */
export interface ListedClient {
  readonly id: number;
  /** Its own address, `host:port`. */
  readonly remote: string;
  /** The address it connected to. */
  readonly local: string;
  readonly info: ClientInfo;
  readonly createdMs: number;
  readonly lastReadMs: number;
  readonly protocol: Protocol;
  readonly database: number;
  /** Whose rights it has. */
  readonly user: { readonly name: string };
  /** What it is subscribed to; null for nothing. */
  readonly subscriptions: ClientSubscriptions | null;
  readonly lastCommand: Command | null;
  /** Its open transaction; null for most. */
  readonly transaction: {
    readonly commands: readonly unknown[];
    readonly heldBytes: number;
  } | null;
  /** Slots in which it watches keys. */
  readonly watches: readonly { readonly isTouched: boolean }[];
  /** Whether it reads from replicas: not null. */
  readonly reads: object | null;
  /** What it has asked for that few clients do; null for most. */
  readonly extras: ListedExtras | null;
  /** Where it is in its life. */
  readonly state: ClientState;
  /** The command that it is blocked by; null for most. */
  readonly blocked: Blocked | null;
  /** Whether other clients have redirected their invalidations to it; they may not any more. */
  isRedirectTarget: boolean;
  /** Requests in flight. */
  readonly depth: number;
  /** Bytes received so far. */
  readonly inputBytes: number;
  /** Bytes received and not dispatched yet. */
  readonly unreadBytes: number;
  /** Bytes of replies not sent yet. */
  readonly unsentBytes: number;
  /** Sends what is no reply, between replies. Copies `bytes`. */
  push(bytes: Uint8Array): void;
  /** Closes it now; requests in flight are settled later. */
  close(): void;
}
