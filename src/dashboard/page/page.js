/**
 * The entry point of the page.
 *
 * @module
 */

/// <reference lib="dom" />
import { App } from "./app.js";
import { startPolling } from "./cluster.js";
import { html } from "./html.js";
import { render } from "./preact.js";

render(html`<${App} />`, document.body);
startPolling();
