/**
 * The record of the dashboard's API tokens, for programs. Codis 2.0 has none.
 *
 * @module
 */

import { type Role, ROLES } from "./dashboard_user.ts";
import {
  decodeSecretRecord,
  encodeRecord,
  integer,
  listOf,
  recordOf,
  text,
  word,
} from "./record.ts";

/** A token that a program sends; the token itself is not kept. */
export interface ApiToken {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token, in hexadecimal digits. */
  readonly hash: string;
  /** How the token begins, so that its owner knows which one it is. */
  readonly prefix: string;
  /** Unix milliseconds. */
  readonly created_at: number;
  /** Unix milliseconds; 0: never. */
  readonly expires_at: number;
}

/** Most tokens that a product may have. */
export const API_TOKENS_MAX = 256;

interface Stored {
  readonly tokens: readonly ApiToken[] | null;
}

const SHAPE = recordOf<Stored>({
  tokens: listOf(recordOf<ApiToken>({
    name: text,
    role: word(ROLES),
    hash: text,
    prefix: text,
    created_at: integer,
    expires_at: integer,
  })),
});

/**
 * Reads the tokens from their JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeApiTokens(json: string): readonly ApiToken[] {
  return decodeSecretRecord(SHAPE, json, "API tokens").tokens ?? [];
}

/** Writes the tokens' JSON. */
export function encodeApiTokens(tokens: readonly ApiToken[]): string {
  return encodeRecord(SHAPE, { tokens });
}

/** Whether a token is still good. */
export function isTokenAlive({ expires_at }: ApiToken, nowMs: number): boolean {
  return expires_at === 0 || nowMs < expires_at;
}
