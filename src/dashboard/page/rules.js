/**
 * What an operator has said about keys and commands: slot rules, and commands that are let through.
 *
 * @module
 */

import { Empty, Unchanged } from "./elements.js";
import { html } from "./html.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */

/**
 * Which keys belong together.
 *
 * @param {{ rules: ClusterView["slot_rules"] }} props
 */
export function SlotRules({ rules }) {
  return html`
    <section class="card slot-rules">
      <h2>Slot rules</h2>
      ${rules.length === 0
        ? html`<${Empty}>None: a key is placed by its {tag}, or else by all of it.</${Empty}>`
        : html`
          <${Unchanged}
            of=${rules}
            draw=${() =>
              html`
                <table class="list">
                  <thead>
                    <tr>
                      <th scope="col">Keys</th>
                      <th scope="col">Placed by</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${rules.map(({ pattern, tag }) =>
                      html`
                        <tr key=${pattern}>
                          <th scope="row"><code>${pattern}</code></th>
                          <td data-label="Placed by">${tag === ""
                            ? "the part before the last separator of the pattern"
                            : html`the tag <code>${tag}</code>`}</td>
                        </tr>
                      `
                    )}
                  </tbody>
                </table>
              `}
          />
          <p class="more">
            A {tag} in a key comes before all rules. The first rule that matches counts.
          </p>
        `}
    </section>
  `;
}

/**
 * Commands that only the servers know, and where they are sent.
 *
 * @param {{ commands: ClusterView["allowed_commands"] }} props
 */
export function AllowedCommands({ commands }) {
  return html`
    <section class="card allowed-commands">
      <h2>Allowed commands</h2>
      ${commands.length === 0
        ? html`
          <${Empty}>
            None: of the commands that only the servers know, proxies send those with keys.
          </${Empty}>
        `
        : html`
          <${Unchanged}
            of=${commands}
            draw=${() =>
              html`
                <table class="list">
                  <thead>
                    <tr>
                      <th scope="col">Command</th>
                      <th scope="col">Sent</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${commands.map(({ name, way }) =>
                      html`
                        <tr key=${name}>
                          <th scope="row"><code>${name.toUpperCase().replace("|", " ")}</code></th>
                          <td data-label="Sent">${wayInWords(way)}</td>
                        </tr>
                      `
                    )}
                  </tbody>
                </table>
              `}
          />
        `}
    </section>
  `;
}

/**
 * Where a command is sent, in words.
 *
 * @param {string} way `key=N`, `block=N`, `any` or `all`.
 */
export function wayInWords(way) {
  if (way === "any") return "to one server, the same for all requests";
  if (way === "all") return "to every master";
  const [kind, argument] = way.split("=");
  const server = `to the server of the key at argument ${argument}`;
  return kind === "block" ? `${server}, over a connection of the client's own` : server;
}
