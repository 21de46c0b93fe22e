/**
 * The theme, dark or light: the system's, or the one that the user chose here.
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
/** Invisible: a style sheet reports a colour only through an element that has it. */
const probe = document.createElement("i");
/** @type {Theme | null} */
let chosen = readChoice();

show();
system.addEventListener("change", notify);

/** @returns {Theme} The current theme. */
export function currentTheme() {
  return chosen ?? (system.matches ? "dark" : "light");
}

/** Switches to the other theme, and stores the choice. */
export function switchTheme() {
  chosen = currentTheme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(THEME_KEY, chosen);
  } catch { /* Without storage, the choice lasts until the page is reloaded. */ }
  show();
  notify();
}

/**
 * A colour of the style sheet in the current theme, for a canvas.
 *
 * @param {string} name `--muted`
 */
export function themeColour(name) {
  if (!probe.isConnected) document.documentElement.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** The current theme; renders again when it changes. */
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

function notify() {
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
