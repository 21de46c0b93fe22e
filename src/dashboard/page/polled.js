/**
 * What a view asks the dashboard for besides the cluster, again and again while it is open.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useState } from "./preact_hooks.js";
import { send } from "./api.js";

/** Time between two questions, in milliseconds. */
const PERIOD_MS = 2000;

/**
 * The newest answer; `null`: none yet. The last one stays while the dashboard does not answer.
 *
 * @template T
 * @param {string} path
 * @param {number} [periodMs] Time between two questions.
 * @returns {T | null}
 */
export function usePolled(path, periodMs = PERIOD_MS) {
  const [answer, setAnswer] = useState(/** @type {T | null} */ (null));
  useEffect(() => {
    let isOpen = true;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const ask = async () => {
      if (!document.hidden) {
        try {
          const next = await send({ method: "GET", path });
          if (isOpen) setAnswer(next);
        } catch { /* The line of the page's head says why. */ }
      }
      if (isOpen) timer = setTimeout(ask, periodMs);
    };
    ask();
    return () => {
      isOpen = false;
      clearTimeout(timer);
    };
  }, [path]);
  return answer;
}
