/**
 * Slow requests of all proxies, of the view of the proxies: what each stage took.
 *
 * @module
 */

import { Badge, Empty, Silent, Unchanged } from "./elements.js";
import { bytes, clockTime, counted, cut, millis } from "./format.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";

/** @import { SlowRequestEntry } from "../../api/slow_log.ts" */

/** @typedef {SlowRequestEntry & { proxy_id: string }} Slow */

/** Requests that are shown. */
const SHOWN_MAX = 50;
/** Characters of a request that are shown. */
const TEXT_MAX = 120;

/** What a stage means, in a few words. */
const MEANING = {
  queue: "waited behind the client's own requests",
  slot: "waited for its slot",
  key: "waited for a key that was moved",
  proxy: "in the proxy",
  send: "waited to be sent",
  network: "on its way, as long as the fastest lately",
  server: "waited for the server",
  receive: "reply came in pieces",
  order: "waited for earlier replies",
  write: "waited for the client to read",
  loop: "the proxy's thread was held up",
};

/**
 * The stages of a request, the longest first, with their share of the whole.
 *
 * @param {Pick<Slow, "stages" | "usecs">} slow
 */
export function longestFirst({ stages, usecs }) {
  return Object.entries(stages)
    .map(([name, took]) => ({ name, usecs: took ?? 0, share: usecs === 0 ? 0 : took / usecs }))
    .sort((a, b) => b.usecs - a.usecs);
}

/** @param {{ now: number, proxyId?: string }} props `proxyId`: of one proxy only. */
export function SlowRequests({ now, proxyId }) {
  const answer = /** @type {{
    entries: readonly Slow[],
    problems?: readonly { proxy_id: string, problem: string }[],
  } | null} */
    (usePolled(`api/slowlog?limit=${SHOWN_MAX}`));
  if (answer === null) return null;
  const isWanted = (/** @type {{ proxy_id: string }} */ { proxy_id }) =>
    proxyId === undefined || proxy_id === proxyId;
  const entries = answer.entries.filter(isWanted);
  const problems = answer.problems?.filter(isWanted) ?? [];
  return html`
    <section class="card audit">
      <div class="card-head">
        <h2>Slow requests</h2>
      </div>
      <${Silent} problems=${problems} />
      ${entries.length === 0
        ? problems.length > 0
          ? null
          : html`<${Empty}>No request was slower than slowlog_slower_than.</${Empty}>`
        : html`
          <${Unchanged}
            of=${[entries, new Date(now).toDateString()]}
            draw=${() =>
              html`<ol tabindex="0" aria-label="List of slow requests">${
                entries.map((slow) =>
                  html`<${Item} key=${`${slow.proxy_id} ${slow.id}`} slow=${slow} now=${now} />`
                )
              }</ol>`}
          />
        `}
      <p class="more">${counted(entries.length, "request")}</p>
    </section>
  `;
}

/** @param {{ slow: Slow, now: number }} props */
function Item({ slow, now }) {
  const stages = longestFirst(slow);
  const [longest] = stages;
  const text = slow.args.join(" ");
  const from = slow.client_name === "" ? slow.client : `${slow.client} (${slow.client_name})`;
  return html`
    <li>
      <time>${clockTime(slow.at, now)}</time>
      <div>
        <b>${millis(slow.usecs / 1000)}</b>${" "}
        <code>${cut(text, TEXT_MAX)}</code>${" "}
        ${longest === undefined ? null : html`
          <${Badge} tone=${longest.name === "server" ? "warning" : "busy"}>
            ${`${longest.name}: ${MEANING[/** @type {keyof typeof MEANING} */ (longest.name)]}`}
          </${Badge}>
        `}
        <small>
          ${stages.map(({ name, usecs }) => `${name} ${millis(usecs / 1000)}`).join(", ")}
        </small>
        <small>
          ${slow.server === "" ? "" : `server ${slow.server}, `}
          ${slow.slot < 0 ? "" : `slot ${slow.slot}, `}
          from ${from}, user ${slow.user}, proxy ${slow.proxy_id},${" "}
          ${bytes(slow.request_bytes)} in, ${bytes(slow.reply_bytes)} out
          ${slow.end === "answered" ? "" : `, ${slow.end}`}
        </small>
      </div>
    </li>
  `;
}
