/**
 * Formats numbers, sizes and times for people. A dash means unknown.
 *
 * @module
 */

/// <reference lib="dom" />
import { rangesText } from "./slot_ranges.js";

/** Shown for an unknown value. */
export const UNKNOWN = "–";

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];
const COUNT_UNITS = ["", "k", "M", "G", "T"];
const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;
/** A narrow no-break space: between thousands, and before a unit. */
const THIN = "\u202f";

/**
 * A number in full, in groups of three digits: `12 345`.
 *
 * @param {number | null} value
 */
export function whole(value) {
  if (value === null) return UNKNOWN;
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, THIN);
}

/**
 * A number in at most four digits and a letter: `12.3k`.
 *
 * @param {number | null} value
 */
export function short(value) {
  if (value === null) return UNKNOWN;
  if (value < 10_000) return whole(value);
  return scaled(value, 1000, COUNT_UNITS).join("");
}

/**
 * A size in bytes: `1.50 GB`.
 *
 * @param {number | null} value
 */
export function bytes(value) {
  if (value === null) return UNKNOWN;
  return scaled(value, 1024, BYTE_UNITS).join(THIN);
}

/**
 * @param {number} value
 * @param {number} base
 * @param {readonly string[]} units
 * @returns {[digits: string, unit: string]}
 */
function scaled(value, base, units) {
  let step = 0;
  while (step < units.length - 1 && Math.round(value) >= base) {
    value /= base;
    step++;
  }
  const digits = step === 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return [value.toFixed(digits), units[step] ?? ""];
}

/**
 * Milliseconds with three digits that count: `0.42 ms`, `12.3 ms`, `1.20 s`.
 *
 * @param {number | null | undefined} ms
 */
export function millis(ms) {
  if (ms === null || ms === undefined) return UNKNOWN;
  if (ms >= SECOND_MS) return `${(ms / SECOND_MS).toFixed(ms < 10 * SECOND_MS ? 2 : 1)}${THIN}s`;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)}${THIN}ms`;
}

/**
 * A span of time in its two largest units: `3 d 4 h`.
 *
 * @param {number | null} seconds
 */
export function duration(seconds) {
  if (seconds === null) return UNKNOWN;
  const s = Math.max(0, Math.round(seconds));
  if (s < MINUTE_S) return `${s}${THIN}s`;
  if (s < HOUR_S) return `${Math.floor(s / MINUTE_S)}${THIN}min ${s % MINUTE_S}${THIN}s`;
  if (s < DAY_S) {
    return `${Math.floor(s / HOUR_S)}${THIN}h ${Math.floor((s % HOUR_S) / MINUTE_S)}${THIN}min`;
  }
  return `${Math.floor(s / DAY_S)}${THIN}d ${Math.floor((s % DAY_S) / HOUR_S)}${THIN}h`;
}

/**
 * How long ago something was: `12 s ago`.
 *
 * @param {number} at Unix milliseconds.
 * @param {number} now Unix milliseconds by the same clock.
 */
export function ago(at, now) {
  const seconds = (now - at) / SECOND_MS;
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

/**
 * The local time of day; with the date when it is not the day of `now`.
 *
 * @param {number} at Unix milliseconds.
 * @param {number} now Unix milliseconds.
 */
export function clockTime(at, now = Date.now()) {
  const time = new Date(at);
  const pad = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const ofDay = [time.getHours(), time.getMinutes(), time.getSeconds()].map(pad).join(":");
  if (time.toDateString() === new Date(now).toDateString()) return ofDay;
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${ofDay}`;
}

/**
 * A text of at most so many characters, and a mark where it was longer.
 *
 * @param {string} text
 * @param {number} max
 */
export function cut(text, max) {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/**
 * A number of things: `1 slot`, `2 slots`.
 *
 * @param {number} count
 * @param {string} thing
 * @param {string} things When it is not `thing` and an s.
 */
export function counted(count, thing, things = `${thing}s`) {
  return `${whole(count)} ${count === 1 ? thing : things}`;
}

/**
 * Slots by number and name: `4 slots (1–3, 7)`.
 *
 * @param {readonly number[]} slots In any order.
 */
export function countedSlots(slots) {
  return `${counted(slots.length, "slot")} (${rangesText(slots, "–")})`;
}

/**
 * A range of slots: `slot 5`, `slots 5–9`.
 *
 * @param {number} from
 * @param {number} to Inclusive.
 */
export function slotRange(from, to) {
  return from === to ? `slot ${from}` : `slots ${from}–${to}`;
}

/**
 * Where a dashboard or a proxy of the product is reached: all of them speak TLS, or none does.
 *
 * @param {string} addr
 * @param {string} path
 * @param {{ protocol: string }} here
 */
export function peerUrl(addr, path, here = location) {
  return `${here.protocol}//${addr}${path}`;
}
