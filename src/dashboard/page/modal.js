/**
 * A modal dialog, and short messages (toasts) about what was done.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useRef, useState } from "./preact_hooks.js";
import { focusMain, isFocusLost } from "./focus.js";
import { html } from "./html.js";

/** How long a toast stays, in milliseconds. */
const TOAST_MS = 6000;
const TOASTS_MAX = 4;

/** @typedef {{ id: number, tone: "good" | "bad", text: string }} Toast */

/** @type {readonly Toast[]} */
let toasts = [];
let toastId = 0;
/** @type {Set<(toasts: readonly Toast[]) => void>} */
const listeners = new Set();

/**
 * A dialog over the page. Escape closes it, and the focus returns to where it was, or to the content.
 *
 * @param {{ title: string, onClose: () => void, children?: unknown }} props
 */
export function Modal({ title, onClose, children }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      // What has opened it may be gone, and nothing has taken its place.
      queueMicrotask(() => {
        if (isFocusLost()) focusMain();
      });
    };
  }, []);
  return html`
    <dialog
      ref=${ref}
      aria-label=${title}
      onCancel=${(/** @type {Event} */ event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2>${title}</h2>
      ${children}
    </dialog>
  `;
}

/**
 * Shows a message in the corner of the page.
 *
 * @param {Toast["tone"]} tone
 * @param {string} text
 */
export function toast(tone, text) {
  const id = toastId++;
  setToasts([...toasts, { id, tone, text }].slice(-TOASTS_MAX));
  setTimeout(() => dropToast(id), TOAST_MS);
}

/** The visible toasts. */
export function Toasts() {
  const [shown, show] = useState(toasts);
  useEffect(() => {
    listeners.add(show);
    return () => void listeners.delete(show);
  }, []);
  return html`
    <div class="toasts" role="status">
      ${shown.map(({ id, tone, text }) =>
        html`
          <p key=${id} class="toast ${tone}">
            <span>${text}</span>
            <button type="button" aria-label="dismiss" onClick=${() => dropToast(id)}>✕</button>
          </p>
        `
      )}
    </div>
  `;
}

/** @param {number} id */
function dropToast(id) {
  setToasts(toasts.filter((other) => other.id !== id));
}

/** @param {readonly Toast[]} next */
function setToasts(next) {
  toasts = next;
  for (const show of listeners) show(toasts);
}
