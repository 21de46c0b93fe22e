/**
 * The guide for a cluster that is not complete yet: what is missing, and the next step.
 *
 * @module
 */

import { ActionButton } from "./action_dialog.js";
import { Badge } from "./elements.js";
import { counted } from "./format.js";
import { html } from "./html.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { Values } from "./actions.js" */

/**
 * A step on the way to a cluster that serves clients.
 *
 * @typedef {object} SetupStep
 * @property {string} text
 * @property {boolean} isDone
 * @property {string} [action] What the button does, one of `ACTIONS`.
 * @property {string} [verb] What the button says.
 * @property {Values} [preset]
 */

/**
 * All steps, in their order.
 *
 * @param {Pick<ClusterView, "groups" | "slots" | "proxies">} view
 * @returns {readonly SetupStep[]}
 */
export function setupSteps({ groups, slots, proxies }) {
  const withMaster = groups.filter(({ servers }) => servers.some(({ type }) => type === "master"));
  const empty = groups.find(({ servers }) => servers.length === 0) ?? groups[0];
  const areStored = !slots.status.includes("-");
  const ownerless = slots.group.filter((group) => group < 0).length;
  return [
    {
      text: "A group: it owns slots, and its servers have the same keys",
      isDone: groups.length > 0,
      ...{ action: "add_group", verb: "Add group …" },
    },
    {
      text: "A Redis server in the group, as its master",
      isDone: withMaster.length > 0,
      ...{ action: "add_server", verb: "Add server …" },
      preset: { group: String(empty?.id ?? ""), role: "master" },
    },
    {
      text: "The 1024 slots, among which keys are spread",
      isDone: areStored,
      ...{ action: "init_slots", verb: "Initialize slots …" },
    },
    {
      text: areStored && ownerless > 0 && ownerless < slots.group.length
        ? `A group for every slot: ${counted(ownerless, "slot has", "slots have")} none`
        : "A group for every slot",
      isDone: areStored && ownerless === 0,
      ...{ action: "range_set", verb: "Set owner …", preset: nextShare(slots, withMaster) },
    },
    {
      text: "A proxy, to which clients connect",
      isDone: proxies.length > 0,
    },
  ];
}

/**
 * The first slots without an owner, for a group without slots: its share of them.
 *
 * @param {ClusterView["slots"]} slots
 * @param {ClusterView["groups"]} groups
 * @returns {Values}
 */
function nextShare({ group }, groups) {
  const from = Math.max(0, group.findIndex((owner) => owner < 0));
  const nextOwned = group.findIndex((owner, slot) => slot > from && owner >= 0);
  const end = nextOwned < 0 ? group.length : nextOwned;
  const waiting = groups.filter(({ slots }) => slots === 0);
  const share = Math.ceil((end - from) / Math.max(1, waiting.length));
  const owner = waiting[0] ?? groups[0];
  return {
    from: String(from),
    to: String(from + share - 1),
    ...owner === undefined ? {} : { new_group: String(owner.id) },
  };
}

/** @param {{ view: ClusterView }} props */
export function Guide({ view }) {
  const steps = setupSteps(view);
  const next = steps.find(({ isDone }) => !isDone);
  if (next === undefined) return null;
  return html`
    <section class="card guide">
      <h2>${view.groups.length === 0
        ? "This cluster is empty: what it needs"
        : "This cluster is not complete: what it needs"}</h2>
      <ol>
        ${steps.map((step) =>
          html`
            <li key=${step.text} aria-current=${step === next ? "step" : undefined}>
              <${Badge} tone=${step.isDone ? "good" : step === next ? "busy" : "off"}>
                ${step.text}<span class="sr-only">${step.isDone
                  ? " (done)"
                  : step === next
                  ? " (next)"
                  : " (later)"}</span>
              </${Badge}>
              ${step !== next || step.action === undefined ? null : html`
                <${ActionButton} name=${step.action} preset=${step.preset} isPrimary>
                  ${step.verb}
                </${ActionButton}>
              `}
            </li>
          `
        )}
      </ol>
      ${next.action === undefined ? html`<${StartProxy} view=${view} />` : null}
    </section>
  `;
}

/** @param {{ view: ClusterView }} props */
function StartProxy({ view: { coordinator, dashboard, product } }) {
  const lines = [
    `coordinator = ${coordinator.kind}`,
    coordinator.kind === "embedded" ? "embedded_dir = …" : "zk = …",
    `product = ${product}`,
    `dashboard_addr = ${dashboard.addr}`,
    "proxy_id = proxy_1",
  ];
  return html`
    <p>
      Copy the dashboard's <code>config.ini</code> to the proxy's machine. It has these lines, with
      another <code>proxy_id</code> for each proxy:
    </p>
    <pre tabindex="0" aria-label="Lines of config.ini">${lines.join("\n")}</pre>
    <p>Then start the proxy there. It registers, and the dashboard sets it online:</p>
    <pre
      tabindex="0"
      aria-label="Command that starts a proxy"
    >codis-proxy proxy -c config.ini --addr=:9000 --http-addr=:9001</pre>
    <p>It appears here within a few seconds. If not, its log says why.</p>
  `;
}
