/**
 * The alarm: how many outages there are, in the title and icon of the tab, and said to screen readers.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useRef, useState } from "./preact_hooks.js";
import { counted } from "./format.js";
import { html } from "./html.js";

/** @import { OutageEvent } from "../../model/outage_event.ts" */
/** @import { Picture } from "./cluster.js" */

/** Outages that are said one by one; the others are counted. */
const SAID_MAX = 3;

/** @typedef {Pick<OutageEvent, "outage" | "text">} Open */

/**
 * The title of the tab: `(2) shop · Codis`, `(!)` without an answer of the dashboard.
 *
 * @param {Picture} picture
 */
export function titleOf({ view, problem, wantsToken }) {
  const name = view === null ? "Codis" : `${view.product} · Codis`;
  if (problem !== "") return wantsToken ? name : `(!) ${name}`;
  const count = view?.open_outages?.length ?? 0;
  return count === 0 ? name : `(${count}) ${name}`;
}

/**
 * What has begun and ended since a page was last told; `""`: nothing.
 *
 * @param {readonly Open[] | null} before null: nothing was told yet.
 * @param {readonly Open[]} now
 */
export function newsOf(before, now) {
  const begun = without(now, before ?? []);
  const ended = without(before ?? [], now);
  if (begun.length === 0 && ended.length === 0) return "";
  const left = now.length === 0
    ? "No outage is left."
    : begun.length === now.length
    ? ""
    : `${counted(now.length, "outage")} in all.`;
  return [said("Outage", begun), said("Over", ended), left].filter((part) => part !== "").join(" ");
}

/**
 * @param {readonly Open[]} outages
 * @param {readonly Open[]} others
 */
function without(outages, others) {
  const ids = new Set(others.map(({ outage }) => outage));
  return outages.filter(({ outage }) => !ids.has(outage));
}

/**
 * @param {string} word
 * @param {readonly Open[]} outages
 */
function said(word, outages) {
  if (outages.length === 0) return "";
  const texts = outages.slice(0, SAID_MAX).map(({ text }) => text).join("; ");
  const more = outages.length - SAID_MAX;
  return `${word}: ${texts}${more > 0 ? `, and ${counted(more, "other")}` : ""}.`;
}

/**
 * Keeps title and icon of the tab, and a text that screen readers say when it changes.
 *
 * @param {{ picture: Picture }} props
 */
export function Alarm({ picture }) {
  const { view, problem } = picture;
  const title = titleOf(picture);
  const told = useRef(/** @type {readonly Open[] | null} */ (null));
  const [news, setNews] = useState("");
  useEffect(() => {
    document.title = title;
    const icon = title.startsWith("(") ? "icon_alarm.svg" : "icon.svg";
    document.querySelector('link[rel="icon"]')?.setAttribute("href", `admin/${icon}`);
  }, [title]);
  useEffect(() => {
    if (view === null || problem !== "") return;
    const open = view.open_outages ?? []; // an older dashboard does not send them
    const text = newsOf(told.current, open);
    told.current = open;
    if (text !== "") setNews(text);
  }, [view]);
  return html`<p class="sr-only" role="alert">${news}</p>`;
}
