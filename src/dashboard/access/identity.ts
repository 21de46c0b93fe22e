/**
 * Who sends a request to the dashboard, and what he may do.
 *
 * @module
 */

import type { Role } from "../../model/dashboard_user.ts";

/** See the header. */
export interface Identity {
  /** For people: `alice`, `token ci`, `dashboard_token`, `this machine`. */
  readonly name: string;
  readonly role: Role;
  /** A user who has logged in, a token, or nobody in particular where no login is needed. */
  readonly kind: "user" | "token" | "place";
}

/** Why a request is refused. */
export interface Refusal {
  readonly status: 401 | 403 | 415 | 429 | 503;
  readonly error: string;
  /** Who it is, where that is known. */
  readonly who?: Identity;
  /** Seconds after which to try again, of a 429. */
  readonly retryAfter?: number;
}
