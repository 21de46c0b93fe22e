/**
 * Where the focus goes when what had it is gone: never to nowhere, or whoever has no pointer starts again at the top.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useRef } from "./preact_hooks.js";

/** What takes the focus of itself. */
const FOCUSABLE = "button:enabled, summary, input:enabled:not([tabindex='-1'])";

/** Whether nothing has the focus. */
export function isFocusLost() {
  return document.activeElement === null || document.activeElement === document.body;
}

/**
 * Keeps the focus inside an element of which the part with the focus has gone: the element itself has it then.
 *
 * @returns {{ current: HTMLElement | null }} For the element.
 */
export function useFocusOn() {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const hadFocus = place.current?.contains(document.activeElement) === true;
  useLayoutEffect(() => {
    if (hadFocus && isFocusLost()) place.current?.focus({ preventScroll: true });
  });
  return place;
}

/** Gives the focus to the content of the page. */
export function focusMain() {
  document.getElementById("main")?.focus();
}

/**
 * Gives the focus to the first thing inside that takes it.
 *
 * @param {Element | null | undefined} place
 */
export function focusFirst(place) {
  const element = place?.querySelector(FOCUSABLE);
  if (element instanceof HTMLElement) element.focus();
}

/**
 * Gives the focus back to what had it, and lost it because nothing can be used while a request is under way; to the
 * first thing in the dialog when that cannot be used any more.
 *
 * @param {boolean} isSending
 */
export function useKeptFocus(isSending) {
  const kept = useRef(/** @type {Element | null} */ (null));
  if (isSending) kept.current ??= document.activeElement;
  useEffect(() => {
    if (isSending) return;
    const element = kept.current;
    kept.current = null;
    if (isFocusLost() && element instanceof HTMLElement) element.focus();
    if (isFocusLost()) focusFirst(document.querySelector("dialog[open]"));
  });
}

/**
 * Keeps the focus inside an element whose content is another one after a login or a logout.
 *
 * @returns {{ current: HTMLDivElement | null }} For the element.
 */
export function useFocusInside() {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const hadFocus = place.current?.contains(document.activeElement) === true;
  useLayoutEffect(() => {
    if (hadFocus && isFocusLost()) focusFirst(place.current);
  });
  return place;
}
