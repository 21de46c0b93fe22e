/**
 * The products that share this coordinator: a menu in the head, and a view of all of them. Each has a dashboard
 * of its own, to which its name leads.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { Badge, Empty, SortHead } from "./elements.js";
import { bytes, clockTime, counted, cut, short, UNKNOWN, whole } from "./format.js";
import { html } from "./html.js";
import { Menu } from "./menu.js";
import { usePolled } from "./polled.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { ProductsAnswer, ProductView } from "../../api/products_view.ts" */
/** @import { Tone } from "./elements.js" */

/** Time between two questions of the menu, in milliseconds. */
const MENU_MS = 15_000;
/** The same of the view. */
const VIEW_MS = 5_000;
const PATH = "api/products";
const SLOTS = 1024;
/** Characters of a text that are shown: others have written it. */
const TEXT_MAX = 60;

/** @typedef {"name" | "state" | "ops" | "clients" | "memory" | "servers" | "proxies" | "slots"} Column */

/** The columns: name, title, whether it is a number. @type {readonly (readonly [Column, string, boolean])[]} */
const COLUMNS = [
  ["name", "Product", false],
  ["state", "State", false],
  ["ops", "Requests/s", true],
  ["clients", "Clients", true],
  ["memory", "Memory", true],
  ["servers", "Servers", true],
  ["proxies", "Proxies", true],
  ["slots", "Slots", true],
];

/** @type {Readonly<Record<Tone, number>>} */
const BADNESS = { good: 0, busy: 1, off: 2, warning: 3, bad: 4 };

/**
 * How a product is, in a few words.
 *
 * @param {Pick<ProductView, "leader" | "problem" | "status">} product
 * @returns {{ tone: Tone, state: string }}
 */
export function productState({ leader, problem, status }) {
  if (problem !== "") return { tone: leader === "" ? "bad" : "off", state: problem };
  if (status === null) return { tone: "off", state: "not known" };
  const { errors, warnings, slots_served, slots_moving } = status;
  if (errors > 0) return { tone: "bad", state: counted(errors, "error") };
  if (warnings > 0) return { tone: "warning", state: counted(warnings, "warning") };
  if (slots_served < SLOTS) {
    return { tone: "warning", state: `${counted(SLOTS - slots_served, "slot")} not served` };
  }
  if (slots_moving > 0) return { tone: "busy", state: `${counted(slots_moving, "slot")} to move` };
  return { tone: "good", state: "well" };
}

/**
 * @param {ProductView} product
 * @param {Column} column
 * @returns {number | string | null}
 */
function valueIn(product, column) {
  const { name, status } = product;
  if (column === "name") return name;
  if (column === "state") return BADNESS[productState(product).tone];
  if (status === null) return null;
  return {
    ops: status.requests_per_second,
    clients: status.clients,
    memory: status.memory_bytes,
    servers: status.servers,
    proxies: status.proxies,
    slots: status.slots_served,
  }[column];
}

/**
 * Sorted by a column; what is not known comes last, and equal ones are sorted by name.
 *
 * @param {readonly ProductView[]} products
 * @param {{ column: Column, isDown: boolean }} order
 */
export function sortedProducts(products, { column, isDown }) {
  return products.toSorted((a, b) => {
    const [x, y] = [valueIn(a, column), valueIn(b, column)];
    if (x === y) return a.name < b.name ? -1 : 1;
    if (x === null || y === null) return x === null ? 1 : -1;
    return (x < y) === isDown ? 1 : -1;
  });
}

/**
 * The menu of the head; nothing where there is one product.
 *
 * @param {{ own: string }} props
 */
export function ProductMenu({ own }) {
  const answer = /** @type {ProductsAnswer | null} */ (usePolled(PATH, MENU_MS));
  const products = answer?.products ?? [];
  if (products.length < 2) return null;
  const isIll = (/** @type {ProductView} */ product) =>
    !product.is_own && ["bad", "warning"].includes(productState(product).tone);
  const ill = products.filter(isIll).length;
  const label = html`
    ${own}${ill === 0 ? null : html`
      <span class="badge bad">
        <span aria-hidden="true">▲${ill}</span>
        <span class="sr-only">, ${counted(ill, "other product")} with a problem</span>
      </span>
    `}
  `;
  return html`
    <${Menu} className="product-menu" label=${label}>
      <a href="#products"><b>All ${counted(answer?.total ?? 0, "product")}</b></a>
      <ul>
        ${sortedProducts(products, { column: "state", isDown: true }).map((product) =>
          html`
            <li key=${product.name}>
              <${Name} product=${product} />
              <${State} product=${product} />
            </li>
          `
        )}
      </ul>
      </${Menu}>
  `;
}

/** @param {{ product: ProductView }} props */
function Name({ product: { name, page, is_own } }) {
  const shown = html`<bdi title=${name}>${cut(name, TEXT_MAX)}</bdi>`;
  if (is_own) return html`<a href="#overview" aria-current="true">${shown}</a>`;
  return page === "" ? shown : html`<a href=${page} rel="noreferrer">${shown}</a>`;
}

/** @param {{ product: ProductView }} props */
function State({ product }) {
  const { tone, state } = productState(product);
  return html`<${Badge} tone=${tone}>${state}</${Badge}>`;
}

/**
 * The view.
 *
 * @param {{ view: ClusterView }} props
 */
export function Products({ view }) {
  const answer = /** @type {ProductsAnswer | null} */ (usePolled(PATH, VIEW_MS));
  const [order, setOrder] = useState(
    /** @type {() => { column: Column, isDown: boolean }} */ (() => ({
      column: "name",
      isDown: false,
    })),
  );
  if (answer === null) {
    return html`
      <div class="products">
        <h1>Products</h1>
        <${Empty}>Loading …</${Empty}></div>
    `;
  }
  const { total, products } = answer;
  return html`
    <div class="products">
      <div class="view-head">
        <h1>Products</h1>
        <p>
          ${counted(total, "product")} in this coordinator${products.length < total
            ? `, of which the first ${products.length} are shown`
            : ""}. Each has a dashboard of its own: log in there to change it.
        </p>
      </div>
      <table class="list">
        <thead>
          <tr>
            ${COLUMNS.map(([name, title, isNumber]) =>
              html`
                <${SortHead}
                  key=${name}
                  ...${{ name, title, order }}
                  className=${isNumber ? "number" : ""}
                  isDownFirst=${name !== "name"}
                  onOrder=${setOrder}
                />
              `
            )}
            <th scope="col">Dashboard</th>
          </tr>
        </thead>
        <tbody>
          ${sortedProducts(products, order).map((product) =>
            html`<${Row} key=${product.name} product=${product} now=${view.at} />`
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{ product: ProductView, now: number }} props */
function Row({ product, now }) {
  const { leader, status } = product;
  const of = (/** @type {number | undefined} */ some, /** @type {number | undefined} */ all) =>
    some === undefined ? UNKNOWN : `${whole(some)}/${whole(all ?? 0)}`;
  return html`
    <tr>
      <th scope="row"><b><${Name} product=${product} /></b></th>
      <td data-label="State">
        <${State} product=${product} />
      </td>
      <td data-label="Requests/s" class="number">${short(status?.requests_per_second ?? null)}</td>
      <td data-label="Clients" class="number">${short(status?.clients ?? null)}</td>
      <td data-label="Memory" class="number">${bytes(status?.memory_bytes ?? null)}</td>
      <td data-label="Servers" class="number">${of(status?.servers_up, status?.servers)}</td>
      <td data-label="Proxies" class="number">${of(status?.proxies_online, status?.proxies)}</td>
      <td data-label="Slots" class="number">${status === null
        ? UNKNOWN
        : `${whole(status.slots_served)}/${SLOTS}`}</td>
      <td data-label="Dashboard">
        <code>${leader === "" ? "none leads" : cut(leader, TEXT_MAX)}</code>
        <small>${status === null
          ? ""
          : `told ${clockTime(status.at, now)}, version ${cut(status.version, TEXT_MAX)}`}</small>
      </td>
    </tr>
  `;
}
