/**
 * A menu in the head of the page.
 *
 * @module
 */

/// <reference lib="dom" />
import { html } from "./html.js";

/**
 * The menu. Escape closes it, and the focus goes back to its button.
 *
 * @param {{ label: unknown, className?: string, children?: unknown }} props
 */
export function Menu({ label, className = "", children }) {
  return html`
    <details class=${`menu ${className}`} onKeyDown=${closeAtEscape}>
      <summary class="button">${label}</summary>
      <div class="card" onClick=${closeAtLink}>${children}</div>
    </details>
  `;
}

/** @param {KeyboardEvent & { currentTarget: HTMLDetailsElement }} event */
function closeAtEscape({ key, currentTarget }) {
  if (key !== "Escape" || !currentTarget.open) return;
  currentTarget.open = false;
  currentTarget.querySelector("summary")?.focus();
}

/** @param {Event} event */
function closeAtLink(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("a") !== null) target.closest("details")?.removeAttribute("open");
}
