/**
 * What a view asks the dashboard for besides the cluster, again and again while it is open.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useState } from "./preact_hooks.js";
import { onChange, send } from "./api.js";

/** @import { ApiError } from "./api.js" */

/** Time between two questions, in milliseconds. */
const PERIOD_MS = 2000;

/**
 * The newest answer, also after each change that this page makes; `null`: none yet. The last one stays while the dashboard does not answer.
 *
 * @template T
 * @param {string} path
 * @param {number} [periodMs] Time between two questions.
 * @returns {T | null}
 */
export function usePolled(path, periodMs = PERIOD_MS) {
  return /** @type {T | null} */ (useAnswer(path, periodMs).answer);
}

/**
 * The newest answer as with {@linkcode usePolled}, and why there is no newer one; `""`: there is.
 *
 * @param {string} path
 * @param {number} periodMs
 * @returns {{ answer: any, problem: string }}
 */
export function useAnswer(path, periodMs) {
  const [state, setState] = useState({ answer: null, problem: "" });
  useEffect(() => {
    let isOpen = true;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let asked = 0;
    const ask = async () => {
      clearTimeout(timer);
      const own = ++asked;
      if (!document.hidden) {
        try {
          const answer = await send({ method: "GET", path });
          if (isOpen && own === asked) setState({ answer, problem: "" });
        } catch (error) {
          const { status, message } = /** @type {ApiError} */ (error);
          // That the dashboard does not answer is said in the head of the page.
          const problem = status === 0 ? "" : message;
          if (isOpen && own === asked) setState(({ answer }) => ({ answer, problem }));
        }
      }
      if (isOpen && own === asked) timer = setTimeout(ask, periodMs);
    };
    const end = onChange(ask);
    ask();
    return () => {
      isOpen = false;
      end();
      clearTimeout(timer);
    };
  }, [path]);
  return state;
}
