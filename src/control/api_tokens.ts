/**
 * Operations on the dashboard's API tokens.
 *
 * @module
 */

import { API_TOKENS_MAX, type ApiToken, encodeApiTokens } from "../model/api_token.ts";
import type { Role } from "../model/dashboard_user.ts";
import { loadApiTokens } from "../store/api_tokens.ts";
import { loadDashboardUsers } from "../store/dashboard_users.ts";
import { withLock } from "../store/lock.ts";
import { StoreError } from "../store/store.ts";
import { checkAnAdminStays } from "./access_rules.ts";
import type { AccessControl } from "./dashboard_users.ts";

/** How every token begins, so that people and scanners know one when they see it. */
const TOKEN_BEGINS = "codis_";
/** Of a token's random part. */
const TOKEN_BYTES = 32;
/** Of a token that is kept. */
const PREFIX_CHARACTERS = TOKEN_BEGINS.length + 6;

/**
 * Makes a token.
 *
 * @param expiresAt Unix milliseconds; 0: never.
 * @returns The token itself, which is not kept anywhere.
 * @throws {StoreError} When there is one of the name, there are too many, or nobody would be admin.
 */
export async function addToken(
  access: AccessControl,
  name: string,
  role: Role,
  expiresAt: number,
): Promise<string> {
  const random = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  const token = TOKEN_BEGINS + random.toBase64({ alphabet: "base64url", omitPadding: true });
  const record: ApiToken = {
    name,
    role,
    hash: await tokenHash(token),
    prefix: token.slice(0, PREFIX_CHARACTERS),
    created_at: Date.now(),
    expires_at: expiresAt,
  };
  await edit(access, name, `token ${name} made, ${role}`, (others, old) => {
    if (old !== undefined) throw new StoreError(`there is a token ${name} already`);
    if (others.length >= API_TOKENS_MAX) {
      throw new StoreError(`there are ${API_TOKENS_MAX} tokens already: remove one first`);
    }
    return [...others, record];
  });
  return token;
}

/**
 * Withdraws a token.
 *
 * @throws {StoreError} When there is none of the name, or nobody would be admin.
 */
export function removeToken(access: AccessControl, name: string): Promise<void> {
  return edit(access, name, `token ${name} removed`, (others, old) => {
    if (old === undefined) throw new StoreError(`there is no token ${name}`);
    return others;
  });
}

/** What is kept of a token. */
export async function tokenHash(token: string): Promise<string> {
  const bytes = new TextEncoder().encode(token);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function edit(
  { control, hasConfigToken }: AccessControl,
  name: string,
  summary: string,
  body: (others: readonly ApiToken[], old: ApiToken | undefined) => readonly ApiToken[],
): Promise<void> {
  const { store } = control;
  return withLock(store, summary, async () => {
    const tokens = await loadApiTokens(store);
    const others = tokens.filter((token) => token.name !== name);
    const next = body(others, tokens.find((token) => token.name === name));
    checkAnAdminStays(await loadDashboardUsers(store), next, hasConfigToken);
    const sorted = next.toSorted((a, b) => a.name < b.name ? -1 : 1);
    const writes = [{ path: store.paths.apiTokens, data: encodeApiTokens(sorted) }];
    await control.change({ summary, writes, announcements: [] });
  });
}
