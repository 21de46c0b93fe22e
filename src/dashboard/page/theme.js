/**
 * Dark or light: as the system has it, or as the user chose here.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useState } from "./preact_hooks.js";

/** @typedef {"dark" | "light"} Theme */

const THEME_KEY = "codis-proxy.theme";

/** @type {Set<() => void>} */
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");
/** Nothing to be seen: style sheets only tell of colours that an element has. */
const probe = document.createElement("i");
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
 * A colour of the style sheet in the theme in force, as a canvas takes it.
 *
 * @param {string} name `--muted`
 */
export function themeColour(name) {
  if (!probe.isConnected) document.documentElement.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** The theme in force; draws again when it changes. */
export function useTheme() {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => {
    const show = () => setTheme(currentTheme());
    listeners.add(show);
    return () => void listeners.delete(show);
  }, []);
  return theme;
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
