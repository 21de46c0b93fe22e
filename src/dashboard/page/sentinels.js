/**
 * The sentinels, below the groups: which answer, and what each says of every group's master.
 *
 * @module
 */

/// <reference lib="dom" />
import { ActionButton } from "./action_dialog.js";
import { Badge } from "./elements.js";
import { counted, duration } from "./format.js";
import { html } from "./html.js";

/** @import { SentinelsView, SentinelView } from "../../api/cluster_view.ts" */

/** @param {{ of: SentinelsView | null | undefined }} props */
export function SentinelList({ of }) {
  return html`
    <section class="card sentinels">
      <div class="card-head">
        <h2>Sentinel</h2>
        <span class="muted">${of
          ? `decides about masters: ${of.quorum} of ${of.servers.length} must find one down for ${
            duration(of.down_after_ms / 1000)
          }`
          : "no sentinels"}</span>
        <div class="buttons">
          <${ActionButton} name="add_sentinel">Add sentinel …</${ActionButton}>
          ${of ? html`<${ActionButton} name="resync_sentinels">Resync …</${ActionButton}>` : null}
        </div>
      </div>
      ${of
        ? html`
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Sentinel</th>
                <th scope="col">State</th>
                <th scope="col">Masters</th>
                <th scope="col"><span class="sr-only">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              ${of.servers.map((sentinel) =>
                html`<${Row} key=${sentinel.addr} sentinel=${sentinel} all=${of} />`
              )}
            </tbody>
          </table>
        `
        : null}
      ${of?.problem ? html`<p class="problem">Not in sync: ${of.problem}</p>` : null}
    </section>
  `;
}

/** @param {{ sentinel: SentinelView, all: SentinelsView }} props */
function Row({ sentinel: { addr, is_reachable, problem, down_seconds, masters }, all }) {
  const unusual = all.groups.flatMap(({ group_id, problem: why }) => {
    const master = masters.find((each) => each.group_id === group_id);
    if (master === undefined) return [{ group_id, text: `group ${group_id} is not watched` }];
    if (why === "" && master.flags.length === 0) return [];
    const flags = master.flags.length === 0 ? "" : ` (${master.flags.join(", ")})`;
    return [{ group_id, text: `group ${group_id}: ${master.addr}${flags}` }];
  });
  return html`
    <tr>
      <th scope="row">
        <code>${addr}</code>
        ${problem === "" ? null : html`<span class="problem">${problem}</span>`}
      </th>
      <td data-label="State">
        ${is_reachable
          ? html`<${Badge} tone="good">up</${Badge}>`
          : html`<${Badge} tone="bad">${`down for ${duration(down_seconds)}`}</${Badge}>`}
      </td>
      <td data-label="Masters">
        ${is_reachable
          ? html`
            ${all.groups.length - unusual.length} of ${counted(
              all.groups.length,
              "group",
            )} as in the table
            ${unusual.map(({ group_id, text }) =>
              html`<span key=${group_id} class="problem">${text}</span>`
            )}
          `
          : null}
      </td>
      <td class="does">
        <${ActionButton} name="remove_sentinel" preset=${{ addr }}>Remove …</${ActionButton}>
      </td>
    </tr>
  `;
}
