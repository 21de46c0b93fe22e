/**
 * Routes of the API tokens, for programs.
 *
 * @module
 */

import { addToken, removeToken } from "../../control/api_tokens.ts";
import { ROLES } from "../../model/dashboard_user.ts";
import { loadApiTokens } from "../../store/api_tokens.ts";
import { integerIn, onlyFields, readBody, wordIn } from "../input.ts";
import { type ApiRoute, change, read } from "./route.ts";
import { accessNameIn } from "./user.ts";

/** Longest life of a token that expires, in seconds: ten years. */
const EXPIRES_SECONDS_MAX = 315_360_000;

/** See the header. */
export const TOKEN_ROUTES: readonly ApiRoute[] = [
  read("/api/tokens", async ({ dashboard }) => {
    const tokens = await loadApiTokens(dashboard.store);
    return tokens.map(({ hash: _, ...shown }) => shown);
  }, "admin"),
  change("POST", "/api/tokens", async ({ dashboard, request }) => {
    const body = onlyFields(await readBody(request), "name", "role", "expires_seconds");
    const name = accessNameIn(body["name"]);
    const role = wordIn(body, "role", ROLES);
    const seconds = body["expires_seconds"] === undefined
      ? 0
      : integerIn(body, "expires_seconds", 1, EXPIRES_SECONDS_MAX);
    const expiresAt = seconds === 0 ? 0 : Date.now() + seconds * 1000;
    const token = await dashboard.changeAccess((access) => addToken(access, name, role, expiresAt));
    return { msg: "OK", ret: 0, token };
  }, "admin"),
  change("DELETE", "/api/tokens/:name", async ({ dashboard, words }) => {
    await dashboard.changeAccess((access) => removeToken(access, accessNameIn(words.name)));
  }, "admin"),
];
