/**
 * What the page knows of the cluster: asks `GET /api/cluster` once a second and tells whoever draws.
 *
 * While nothing answers, the last view stays, and it is told since when.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useState } from "./preact_hooks.js";
import { currentToken, onToken } from "./api.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */

/** From one question to the next, in milliseconds. */
const POLL_PERIOD_MS = 1000;
/** An answer that takes longer is given up, in milliseconds. */
const ANSWER_MS = 5000;

/**
 * @typedef {object} Picture
 * @property {ClusterView | null} view The last one that came.
 * @property {string} problem Why there is no newer one; `""`: nothing.
 * @property {number} problemSince When that began, Unix milliseconds of this machine.
 * @property {boolean} wantsToken Whether a token would help.
 * @property {string} leader The dashboard that can be asked instead, `host:port`; `""`: none known.
 */

/** @type {Picture} */
let picture = { view: null, problem: "", problemSince: 0, wantsToken: false, leader: "" };
/** @type {Set<(picture: Picture) => void>} */
const listeners = new Set();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let isAsking = false;

/** The picture, kept up to date; draws again with every new one. */
export function usePicture() {
  const [shown, show] = useState(picture);
  useEffect(() => {
    listeners.add(show);
    show(picture);
    return () => void listeners.delete(show);
  }, []);
  return shown;
}

/** Begins to ask, and goes on as long as the page is there and seen. */
export function startPolling() {
  document.addEventListener("visibilitychange", () => void poll());
  onToken(() => void poll());
  poll();
}

/** Asks now, whenever the next question was due. */
export async function poll() {
  clearTimeout(timer);
  if (isAsking || document.hidden) return;
  isAsking = true;
  const startedMs = performance.now();
  picture = await ask();
  isAsking = false;
  for (const show of listeners) show(picture);
  timer = setTimeout(poll, Math.max(0, POLL_PERIOD_MS - (performance.now() - startedMs)));
}

/** @returns {Promise<Picture>} */
async function ask() {
  try {
    const token = currentToken();
    const response = await fetch("api/cluster", {
      cache: "no-store",
      headers: token === "" ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (response.ok) {
      return {
        view: await response.json(),
        problem: "",
        problemSince: 0,
        wantsToken: false,
        leader: "",
      };
    }
    return await refused(response);
  } catch (error) {
    const isLate = /** @type {Error} */ (error).name === "TimeoutError";
    return failed(isLate ? `no answer within ${ANSWER_MS / 1000} s` : "it cannot be reached");
  }
}

/** @param {Response} response */
async function refused(response) {
  const text = await response.text();
  const wantsToken = response.status === 401;
  try {
    const { error, leader } = JSON.parse(text);
    return { ...failed(String(error), String(leader ?? "")), wantsToken };
  } catch {
    return failed(text === "" ? `it answered ${response.status}` : text.trim());
  }
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
