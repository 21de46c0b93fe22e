/**
 * The page's copy of the cluster: polls `GET /api/cluster` once a second and notifies its listeners.
 *
 * Without an answer, the last view stays, with the time since when it is old.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useState } from "./preact_hooks.js";
import { apiErrorOf, currentToken, logOut, onLogin, question } from "./api.js";
import { noteRefusal, noteView } from "./who.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */

/** Time between two polls, in milliseconds. */
const POLL_PERIOD_MS = 1000;
/** The same while the page is hidden: then only the alarm in its tab is to be seen. */
const HIDDEN_PERIOD_MS = 10_000;
/** Longest wait for an answer, in milliseconds. */
const ANSWER_MS = 5000;

/**
 * @typedef {object} Picture
 * @property {ClusterView | null} view The last one received.
 * @property {string} problem Why there is no newer view; `""`: no problem.
 * @property {number} problemSince When the problem started, Unix milliseconds of this machine.
 * @property {boolean} wantsToken Whether a token would help.
 * @property {string} leader The dashboard that leads, `host:port`; `""`: not known.
 */

/** @type {Picture} */
let picture = { view: null, problem: "", problemSince: 0, wantsToken: false, leader: "" };
/** @type {Set<(picture: Picture) => void>} */
const listeners = new Set();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let isAsking = false;

/** The current picture; renders again when it changes. */
export function usePicture() {
  const [shown, show] = useState(picture);
  useEffect(() => {
    listeners.add(show);
    show(picture);
    return () => void listeners.delete(show);
  }, []);
  return shown;
}

/** Starts to poll; more seldom while the page is hidden. */
export function startPolling() {
  document.addEventListener("visibilitychange", () => void poll());
  onLogin(() => void poll());
  poll();
}

/** Polls now, without waiting for the next time. */
export async function poll() {
  clearTimeout(timer);
  if (isAsking) return;
  isAsking = true;
  const startedMs = performance.now();
  picture = await nextPicture();
  isAsking = false;
  for (const show of listeners) show(picture);
  const periodMs = document.hidden ? HIDDEN_PERIOD_MS : POLL_PERIOD_MS;
  timer = setTimeout(poll, Math.max(0, periodMs - (performance.now() - startedMs)));
}

/** @returns {Promise<Picture>} */
async function nextPicture() {
  try {
    const token = currentToken();
    const response = await question("api/cluster", {
      headers: token === "" ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (response.ok) {
      const view = await response.json();
      noteView(view);
      return {
        view,
        problem: "",
        problemSince: 0,
        wantsToken: false,
        leader: "",
      };
    }
    // A token that is good no longer would keep the page from what is there without one.
    if (response.status === 401 && token !== "") logOut();
    return await refused(response);
  } catch (error) {
    // The user has changed meanwhile.
    if (/** @type {Error} */ (error).name === "AbortError") return await nextPicture();
    const isLate = /** @type {Error} */ (error).name === "TimeoutError";
    return failed(isLate ? `no answer within ${ANSWER_MS / 1000} s` : "not reachable");
  }
}

/** @param {Response} response */
async function refused(response) {
  const { message, leader, wantsToken, hasUsers } = apiErrorOf(
    response.status,
    await response.text(),
  );
  if (wantsToken) noteRefusal(hasUsers, message);
  const next = { ...failed(message, leader), wantsToken };
  // What a user has seen is not for whoever comes after him.
  return wantsToken && hasUsers ? { ...next, view: null } : next;
}

/**
 * @param {string} problem
 * @param {string} leader
 * @returns {Picture}
 */
function failed(problem, leader = "") {
  const problemSince = picture.problem === "" ? Date.now() : picture.problemSince;
  return { view: picture.view, problem, problemSince, wantsToken: false, leader };
}
