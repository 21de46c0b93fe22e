/**
 * The users that Redis clients log in as: a part of the view of users, for admins.
 *
 * @module
 */

import { ActionButton } from "./action_dialog.js";
import { Badge, Empty } from "./elements.js";
import { bytes, counted, whole } from "./format.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";

/** @import { RedisUserAnswer, RedisUsersAnswer } from "../../api/answers.ts" */

/** The card of these users. */
export function RedisUsers() {
  const answer = /** @type {RedisUsersAnswer | null} */ (usePolled("api/redis_users"));
  return html`
    <section class="card redis-users">
      <div class="card-head">
        <h2>Users of Redis clients</h2>
        <${ActionButton} name="add_redis_user">Add Redis user …</${ActionButton}>
      </div>
      ${answer === null ? null : html`<${List} answer=${answer} />`}
    </section>
  `;
}

/** @param {{ names: readonly string[] }} props */
function Others({ names }) {
  if (names.length === 0) return null;
  return html`
    <p>
      <${Badge}
        tone="warning">${names.join(", ")} ${names.length === 1
          ? "does"
          : "do"} not use these users: acl = store is not set there.</${Badge}>
    </p>
  `;
}

/** @param {{ answer: RedisUsersAnswer }} props */
function List({ answer }) {
  const users = answer.users ?? [];
  if (users.length === 0) {
    return html`<${Empty}>
      There are none here: Redis clients log in as each proxy's config.ini says.
    </${Empty}>`;
  }
  return html`
    <${Others} names=${answer.other_proxies ?? []} />
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Logs in</th>
          <th scope="col">Rules</th>
          <th scope="col">Limits, each proxy</th>
          <th scope="col"><span class="sr-only">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${users.map((user) => html`<${Row} key=${user.name} user=${user} />`)}
      </tbody>
    </table>
  `;
}

/** @param {{ user: RedisUserAnswer }} props */
function Row({ user }) {
  const { name, rules, limits, read_from = "" } = user;
  const { requests_per_second, bytes_per_second, connections } = limits;
  const preset = {
    name,
    requests: String(requests_per_second),
    bytes: String(bytes_per_second),
    connections: String(connections),
  };
  return html`
    <tr>
      <th scope="row">${name}</th>
      <td data-label="Logs in">
        <${Login} user=${user} />
      </td>
      <td data-label="Rules" class="rules"><code>${rules}</code></td>
      <td data-label="Limits, each proxy">
        ${limitsText(limits)}
        ${read_from === "" ? null : html`
          <small>reads from: ${read_from}</small>
        `}
      </td>
      <td class="does">
        <${ActionButton} name="set_redis_user" preset=${{ name, rules, login: "keep" }}>
          Change …
        </${ActionButton}>
        <${ActionButton} name="limit_redis_user" preset=${preset}>Limits …</${ActionButton}>
        <${ActionButton} name="reads_of_redis_user" preset=${{ name, read_from }}>
          Reads …
        </${ActionButton}>
        ${name === "default" ? null : html`
          <${ActionButton} name="delete_redis_user" preset=${{ name }}>Delete …</${ActionButton}>
        `}
      </td>
    </tr>
  `;
}

/** @param {{ user: RedisUserAnswer }} props */
function Login({ user: { on, nopass, passwords } }) {
  if (!on) return html`<${Badge} tone="off">off</${Badge}>`;
  if (nopass) return html`<${Badge} tone="warning">without password</${Badge}>`;
  return html`<${Badge} tone="good">${counted(passwords, "password")}</${Badge}>`;
}

/** @param {RedisUserAnswer["limits"]} limits */
function limitsText({ requests_per_second, bytes_per_second, connections }) {
  const parts = [
    requests_per_second > 0 ? `${whole(requests_per_second)} requests/s` : "",
    bytes_per_second > 0 ? `${bytes(bytes_per_second)}/s` : "",
    connections > 0 ? counted(connections, "connection") : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "none" : parts.join(", ");
}
