/**
 * Markup in JavaScript: `html` makes Preact nodes. Inserted values are text, never markup.
 *
 * @module
 */

import { h } from "./preact.js";
import htm from "./htm.js";

/**
 * One node, with everything in it.
 *
 * @typedef {import("./preact.js").VNode<any>} Markup
 */

/**
 * The types of the package declare an object with a default; the browser gets the function itself.
 *
 * @type {{ bind(make: typeof h): (strings: TemplateStringsArray, ...values: unknown[]) => Markup }}
 */
const template = /** @type {any} */ (htm);

/** Turns a template into a node: ``html`<p>${text}</p>` ``. */
export const html = template.bind(h);
