/**
 * The view of users, of Redis clients and of the dashboard, and of API tokens; for admins.
 *
 * @module
 */

import { ActionButton } from "./action_dialog.js";
import { Empty } from "./elements.js";
import { ago, clockTime } from "./format.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";
import { RedisUsers } from "./redis_users.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { TokenAnswer, UserAnswer } from "../../api/answers.ts" */

/** @param {{ view: ClusterView }} props */
export function AccessView({ view }) {
  const users = /** @type {readonly UserAnswer[] | null} */ (usePolled("api/users"));
  const tokens = /** @type {readonly TokenAnswer[] | null} */ (usePolled("api/tokens"));
  return html`
    <div class="access">
      <div class="view-head">
        <h1>Users and tokens</h1>
        <div class="buttons">
          <${ActionButton} name="add_user" isPrimary>Add user …</${ActionButton}>
          <${ActionButton} name="add_token">Make token …</${ActionButton}>
        </div>
      </div>
      <${RedisUsers} />
      <section class="card">
        <h2>Users of this dashboard</h2>
        ${users === null ? null : html`<${Users} users=${users} view=${view} />`}
      </section>
      <section class="card">
        <h2>Tokens of programs</h2>
        ${tokens === null ? null : html`<${Tokens} tokens=${tokens} now=${view.at} />`}
      </section>
    </div>
  `;
}

/** @param {{ users: readonly UserAnswer[], view: ClusterView }} props */
function Users({ users, view }) {
  if (users.length === 0) {
    return html`<${Empty}>
      Nobody has to log in: ${
      view.dashboard.needs_token
        ? "changes need a token."
        : "whoever reaches the dashboard may do everything."
    }
    </${Empty}>`;
  }
  return html`
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Role</th>
          <th scope="col">Added</th>
          <th scope="col">Changed</th>
          <th scope="col"><span class="sr-only">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${users.map(({ name, role, created_at, changed_at }) =>
          html`
            <tr key=${name}>
              <th scope="row">${name}</th>
              <td data-label="Role">${role}</td>
              <td data-label="Added">${ago(created_at, view.at)}</td>
              <td data-label="Changed">${ago(changed_at, view.at)}</td>
              <td class="does">
                <${ActionButton} name="set_user" preset=${{ name, role }}>Change …</${ActionButton}>
                <${ActionButton} name="remove_user" preset=${{ name }}>Remove …</${ActionButton}>
              </td>
            </tr>
          `
        )}
      </tbody>
    </table>
  `;
}

/** @param {{ tokens: readonly TokenAnswer[], now: number }} props */
function Tokens({ tokens, now }) {
  if (tokens.length === 0) return html`<${Empty}>There are no API tokens.</${Empty}>`;
  return html`
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Role</th>
          <th scope="col">Begins with</th>
          <th scope="col">Made</th>
          <th scope="col">Good until</th>
          <th scope="col"><span class="sr-only">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${tokens.map(({ name, role, prefix, created_at, expires_at }) =>
          html`
            <tr key=${name}>
              <th scope="row">${name}</th>
              <td data-label="Role">${role}</td>
              <td data-label="Begins with"><code>${prefix}…</code></td>
              <td data-label="Made">${ago(created_at, now)}</td>
              <td data-label="Good until">${expires_at === 0
                ? "it is removed"
                : expires_at <= now
                ? "expired"
                : clockTime(expires_at, now)}</td>
              <td class="does">
                <${ActionButton} name="remove_token" preset=${{ name }}>Remove …</${ActionButton}>
              </td>
            </tr>
          `
        )}
      </tbody>
    </table>
  `;
}
