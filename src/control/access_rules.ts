/**
 * The rule that keeps people from locking themselves out of the dashboard: as long as there are users or
 * API tokens, somebody is admin.
 *
 * @module
 */

import type { ApiToken } from "../model/api_token.ts";
import type { DashboardUser } from "../model/dashboard_user.ts";
import { StoreError } from "../store/store.ts";

/**
 * Checks what users and tokens would be.
 *
 * @param hasConfigToken Whether `dashboard_token` is set, which is an admin.
 * @throws {StoreError} When nobody would be admin any more. Tokens that expire do not count.
 */
export function checkAnAdminStays(
  users: readonly Pick<DashboardUser, "role">[],
  tokens: readonly Pick<ApiToken, "role" | "expires_at">[],
  hasConfigToken: boolean,
): void {
  if (hasConfigToken || users.length + tokens.length === 0) return;
  const isAdmin = ({ role }: { role: string }) => role === "admin";
  if (users.some(isAdmin)) return;
  if (tokens.some((token) => isAdmin(token) && token.expires_at === 0)) return;
  throw new StoreError(
    "nobody would be admin: first make a user or a token that does not expire with role admin, or set " +
      "dashboard_token",
  );
}
