/**
 * A dialog that holds the focus until it is closed, and short notes of what was done.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useRef, useState } from "./preact_hooks.js";
import { html } from "./html.js";

/** How long a note stays, in milliseconds. */
const NOTE_MS = 6000;
const NOTES_MAX = 4;

/** @typedef {{ id: number, tone: "good" | "bad", text: string }} Note */

/** @type {readonly Note[]} */
let notes = [];
let noteId = 0;
/** @type {Set<(notes: readonly Note[]) => void>} */
const listeners = new Set();

/**
 * A dialog over the page. Escape closes it; what had the focus before gets it back.
 *
 * @param {{ title: string, onClose: () => void, children?: unknown }} props
 */
export function Modal({ title, onClose, children }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
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
 * Says in the corner of the page what came of something.
 *
 * @param {Note["tone"]} tone
 * @param {string} text
 */
export function note(tone, text) {
  const id = noteId++;
  tellNotes([...notes, { id, tone, text }].slice(-NOTES_MAX));
  setTimeout(() => dropNote(id), NOTE_MS);
}

/** The notes that are to be seen. */
export function Notes() {
  const [shown, show] = useState(notes);
  useEffect(() => {
    listeners.add(show);
    return () => void listeners.delete(show);
  }, []);
  return html`
    <div class="notes" role="status">
      ${shown.map(({ id, tone, text }) =>
        html`
          <p key=${id} class="note ${tone}">
            <span>${text}</span>
            <button type="button" aria-label="dismiss" onClick=${() => dropNote(id)}>✕</button>
          </p>
        `
      )}
    </div>
  `;
}

/** @param {number} id */
function dropNote(id) {
  tellNotes(notes.filter((other) => other.id !== id));
}

/** @param {readonly Note[]} next */
function tellNotes(next) {
  notes = next;
  for (const show of listeners) show(notes);
}
