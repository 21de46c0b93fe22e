/**
 * The states of a connection to a server; backend.ts draws them.
 *
 * @module
 */

import type { StateMoves } from "../../base/state.ts";

/** Where a connection is in its life. */
export type BackendState = "idle" | "dialing" | "handshake" | "ready" | "failing" | "closed";

/** Which state may follow which. */
export const BACKEND_MOVES: StateMoves<BackendState> = {
  idle: ["dialing", "closed"],
  dialing: ["handshake", "failing", "closed"],
  handshake: ["ready", "failing", "closed"],
  ready: ["failing", "closed"],
  failing: ["dialing", "idle", "closed"],
  closed: [],
};
