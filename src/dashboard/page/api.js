/**
 * Sends requests to the dashboard, as the user who has logged in or with a token.
 *
 * A user has a cookie, which scripts cannot read. A token lives in this tab's session storage and travels
 * in one header, never in an address.
 *
 * @module
 */

/// <reference lib="dom" />

/**
 * @typedef {object} ApiRequest
 * @property {"GET" | "POST" | "PUT" | "DELETE"} method
 * @property {string} path Relative to the page, `api/…`.
 * @property {object} [body] Sent as JSON.
 */

const TOKEN_KEY = "codis-proxy.token";
const UNAUTHORIZED = 401;
/** How long questions wait while the user changes, in milliseconds. */
const CHANGE_MS = 5_000;
/** Longest text of an answer that is shown, in characters. */
const TEXT_MAX = 2000;
/** Longest token; the same rule as that of dashboard_token. */
const TOKEN_CHARS_MAX = 4096;

/** The dashboard refused, or did not answer; the message is its text. */
export class ApiError extends Error {
  /** @override */
  name = "ApiError";
  /** @type {boolean} */
  #isOfDashboard;
  /**
   * @param {number} status Of HTTP; 0: no answer came.
   * @param {string} text
   * @param {{ field?: string, rule?: string, leader?: string, can_force?: boolean, has_users?: boolean, error?: string }} [more]
   * More fields of its answer.
   */
  constructor(status, text, more = {}) {
    super(text);
    this.status = status;
    /** The field of the body that is wrong; `""`: not known. */
    this.field = more.field ?? "";
    /** The rule of that field; `""`: not known. */
    this.rule = more.rule ?? "";
    /** The dashboard that leads, `host:port`; `""`: not known. */
    this.leader = more.leader ?? "";
    /** Whether force would help. */
    this.mayBeForced = more.can_force === true;
    /** Whether there are users, who log in by name. */
    this.hasUsers = more.has_users === true;
    this.#isOfDashboard = more.error !== undefined;
  }

  /** Whether a token would help: not with a server in front of the dashboard. */
  get wantsToken() {
    return this.status === UNAUTHORIZED && this.#isOfDashboard;
  }
}

/** Requests after which the user is another one, or his session. */
const CHANGES_WHO = ["api/login/user", "api/logout", "api/password"];

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {Set<() => void>} */
const changeListeners = new Set();
let token = readToken();
/** Breaks off what is asked as the user of now. */
let questions = new AbortController();
/** Settled while the user does not change. @type {Promise<void>} */
let settled = Promise.resolve();

/** The token in use; `""`: none. */
export function currentToken() {
  return token;
}

/**
 * Calls back whenever somebody has logged in or out.
 *
 * @param {() => void} listener
 * @returns {() => void} Ends that.
 */
export function onLogin(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Calls back whenever this page has changed something.
 *
 * @param {() => void} listener
 * @returns {() => void} Ends that.
 */
export function onChange(listener) {
  changeListeners.add(listener);
  return () => void changeListeners.delete(listener);
}

/**
 * Stores a token after the dashboard has accepted it.
 *
 * @param {string} candidate
 * @throws {ApiError} When it is wrong, or the dashboard does not answer.
 */
export async function logIn(candidate) {
  if (!/^[\x21-\x7e]+$/.test(candidate)) {
    throw new ApiError(UNAUTHORIZED, "a token has only visible ASCII characters, without spaces");
  }
  if (candidate.length > TOKEN_CHARS_MAX) {
    throw new ApiError(
      UNAUTHORIZED,
      `a token has at most ${TOKEN_CHARS_MAX} characters, this one has ${candidate.length}`,
    );
  }
  await send({ method: "POST", path: "api/login" }, candidate);
  useToken(candidate);
}

/**
 * Logs in with a name and a password; the dashboard sets a cookie.
 *
 * @param {string} user
 * @param {string} password
 * @throws {ApiError} When they are wrong, or the dashboard does not answer.
 */
export async function logInAs(user, password) {
  await send({ method: "POST", path: "api/login/user", body: { user, password } }, "");
  useToken("");
}

/** Ends the session and forgets the token. */
export async function logOut() {
  const hadToken = token !== "";
  useToken("");
  if (hadToken) return;
  await send({ method: "POST", path: "api/logout" });
  for (const listener of listeners) listener();
}

/**
 * Sends a request and returns what the dashboard answered.
 *
 * @param {ApiRequest} request
 * @param {string} withToken
 * @returns {Promise<any>}
 * @throws {ApiError} When it is refused or no answer comes.
 */
export async function send(request, withToken = token) {
  const { method, path, body } = request;
  if (!CHANGES_WHO.includes(path)) {
    const answer = await exchange(request, withToken);
    const isPlan = body !== undefined && "dry_run" in body && body.dry_run === true;
    if (method !== "GET" && !isPlan) { for (const listener of changeListeners) listener(); }
    return answer;
  }
  const change = Promise.withResolvers();
  settled = change.promise;
  breakOff();
  const timer = setTimeout(change.resolve, CHANGE_MS);
  try {
    return await exchange(request, withToken);
  } finally {
    clearTimeout(timer);
    change.resolve(undefined);
  }
}

/**
 * Asks for something as the user of now. When the user changes, it is broken off: the answer would be about the
 * one before, and a refusal could remove the cookie of the next.
 *
 * @param {string} path
 * @param {RequestInit} [init]
 * @throws {DOMException} An `AbortError`, when the user has changed.
 */
export async function question(path, init = {}) {
  const signals = [questions.signal, ...init.signal ? [init.signal] : []];
  await settled;
  return await fetch(path, { ...init, cache: "no-store", signal: AbortSignal.any(signals) });
}

function breakOff() {
  questions.abort();
  questions = new AbortController();
}

/**
 * @param {ApiRequest} request
 * @param {string} withToken
 */
async function exchange({ method, path, body }, withToken) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (withToken !== "") headers["authorization"] = `Bearer ${withToken}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  let text;
  try {
    response = method === "GET" ? await question(path, { headers }) : await fetch(path, {
      method,
      headers,
      cache: "no-store",
      ...body === undefined ? {} : { body: JSON.stringify(body) },
    });
    text = await response.text();
  } catch (error) {
    throw new ApiError(
      0,
      "The dashboard did not answer. It may have made the change: check the events before you try " +
        `again. (${/** @type {Error} */ (error).message})`,
    );
  }
  if (!response.ok) {
    if (response.status === UNAUTHORIZED && withToken !== "" && withToken === token) useToken("");
    throw apiErrorOf(response.status, text);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(response.status, `not an answer of a dashboard: ${text.slice(0, TEXT_MAX)}`);
  }
}

/**
 * What an answer says that is a refusal; a server in front of the dashboard may answer in words of its own.
 *
 * @param {number} status
 * @param {string} text The whole answer.
 */
export function apiErrorOf(status, text) {
  try {
    const answer = JSON.parse(text);
    if (typeof answer?.error === "string") return new ApiError(status, answer.error, answer);
  } catch { /* Codis 2.0 answers plain text. */ }
  return new ApiError(status, text.trim().slice(0, TEXT_MAX) || `HTTP status ${status}`);
}

/** @param {string} next */
function useToken(next) {
  token = next;
  breakOff();
  try {
    if (next === "") sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, next);
  } catch { /* Without storage, the token lasts until the page is reloaded. */ }
  for (const listener of listeners) listener();
}

function readToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? "";
  } catch {
    return "";
  }
}
