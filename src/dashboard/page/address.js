/**
 * What the page's address asks for: `#groups/7` is the view `groups`, and of it group 7.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useState } from "./preact_hooks.js";

/**
 * @typedef {object} Address
 * @property {string} view
 * @property {string} of What of the view; `""`: all of it.
 */

/** @returns {Address} */
function currentAddress() {
  const [view = "", ...rest] = location.hash.slice(1).split("/");
  return { view: view || "overview", of: decoded(rest.join("/")) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address; renders again when it changes. Another view starts at its top. */
export function useAddress() {
  const [address, setAddress] = useState(currentAddress);
  useEffect(() => {
    const show = () => setAddress(currentAddress());
    addEventListener("hashchange", show);
    return () => removeEventListener("hashchange", show);
  }, []);
  return address;
}

/**
 * Goes to a view, or to a part of it.
 *
 * @param {string} view
 * @param {string} [of]
 */
export function goTo(view, of = "") {
  location.hash = linkTo(view, of);
}

/**
 * @param {string} view
 * @param {string} [of]
 */
export function linkTo(view, of = "") {
  return of === "" ? `#${view}` : `#${view}/${encodeURIComponent(of)}`;
}
