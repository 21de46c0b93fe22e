/**
 * Dark or light: as the system has it, or as the user chose here.
 *
 * @module
 */

/// <reference lib="dom" />

/** @typedef {"dark" | "light"} Theme */

const THEME_KEY = "codis-proxy.theme";

/** @type {Set<() => void>} */
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");
/** @type {Theme | null} */
let chosen = readChoice();

show();
system.addEventListener("change", tell);

/** @returns {Theme} The theme in force. */
export function currentTheme() {
  return chosen ?? (system.matches ? "dark" : "light");
}

/** Changes to the other theme, and remembers it. */
export function switchTheme() {
  chosen = currentTheme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(THEME_KEY, chosen);
  } catch { /* Without storage it lasts until the page is loaded again. */ }
  show();
  tell();
}

/**
 * Calls back whenever the theme in force changes.
 *
 * @param {() => void} listener
 * @returns {() => void} Ends that.
 */
export function onTheme(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function show() {
  if (chosen !== null) document.documentElement.dataset["theme"] = chosen;
}

function tell() {
  for (const listener of listeners) listener();
}

/** @returns {Theme | null} */
function readChoice() {
  try {
    const stored = localStorage.getItem(THEME_KEY);
    return stored === "dark" || stored === "light" ? stored : null;
  } catch {
    return null;
  }
}
