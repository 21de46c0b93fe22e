/**
 * What CLIENT TRACKING can be told, checked as Redis checks it.
 *
 * @module
 */

import { NO_REDIRECT_TARGET, NOT_AN_INTEGER, SYNTAX_ERROR } from "../errors.ts";

/** The options of one client's tracking. Prefixes have one character for each byte. */
export interface TrackingOptions {
  /** The client that invalidations go to; 0 for the client itself. */
  readonly redirect: number;
  readonly isBroadcast: boolean;
  readonly isOptIn: boolean;
  readonly isOptOut: boolean;
  readonly isNoLoop: boolean;
  readonly prefixes: readonly string[];
}

/** What follows `CLIENT TRACKING ON|OFF`. */
export const NO_TRACKING_OPTIONS: TrackingOptions = {
  redirect: 0,
  isBroadcast: false,
  isOptIn: false,
  isOptOut: false,
  isNoLoop: false,
  prefixes: [],
};

/**
 * Reads the options; an error text when they are something else.
 *
 * @param words What follows ON or OFF, one character for each byte.
 * @param exists Whether there is a client of this id.
 */
export function readTrackingOptions(
  words: readonly string[],
  exists: (id: number) => boolean,
): TrackingOptions | string {
  let options = NO_TRACKING_OPTIONS;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!.toLowerCase();
    const value = words[i + 1];
    if (word === "redirect" && value !== undefined) {
      i++;
      if (options.redirect !== 0) return "ERR A client can only redirect to a single other client";
      if (!/^(0|-?[1-9]\d{0,18})$/.test(value)) {
        return NOT_AN_INTEGER;
      }
      const redirect = Number(value);
      if (!exists(redirect)) return NO_REDIRECT_TARGET;
      options = { ...options, redirect };
    } else if (word === "prefix" && value !== undefined) {
      i++;
      options = { ...options, prefixes: [...options.prefixes, value] };
    } else if (word === "bcast") options = { ...options, isBroadcast: true };
    else if (word === "optin") options = { ...options, isOptIn: true };
    else if (word === "optout") options = { ...options, isOptOut: true };
    else if (word === "noloop") options = { ...options, isNoLoop: true };
    else return SYNTAX_ERROR;
  }
  return options;
}

/** Why these options cannot be taken over from those that are in force, if any; else empty. */
export function conflictOf(now: TrackingOptions | null, wanted: TrackingOptions): string {
  const { isBroadcast, isOptIn, isOptOut, prefixes } = wanted;
  const afresh =
    "before disabling tracking for this client, and then re-enabling it with a different mode.";
  if (!isBroadcast && prefixes.length > 0) {
    return "ERR PREFIX option requires BCAST mode to be enabled";
  }
  if (now !== null && now.isBroadcast !== isBroadcast) {
    return `ERR You can't switch BCAST mode on/off ${afresh}`;
  }
  if (isBroadcast && (isOptIn || isOptOut)) {
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  }
  if (isOptIn && isOptOut) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if (now !== null && ((isOptIn && now.isOptOut) || (isOptOut && now.isOptIn))) {
    return `ERR You can't switch OPTIN/OPTOUT mode ${afresh}`;
  }
  return isBroadcast ? prefixCollision(now?.prefixes ?? [], prefixes) : "";
}

function prefixCollision(existing: readonly string[], wanted: readonly string[]): string {
  const end = "Prefixes for a single client must not overlap.";
  const overlaps = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);
  for (const [i, prefix] of wanted.entries()) {
    const old = [...existing].sort().find((each) => overlaps(each, prefix));
    if (old !== undefined) {
      return `ERR Prefix '${prefix}' overlaps with an existing prefix '${old}'. ${end}`;
    }
    const other = wanted.slice(i + 1).find((each) => overlaps(prefix, each));
    if (other !== undefined) {
      return `ERR Prefix '${prefix}' overlaps with another provided prefix '${other}'. ${end}`;
    }
  }
  return "";
}

/** The options that are in force after `wanted` was taken over: prefixes are added to. */
export function mergedOptions(
  now: TrackingOptions | null,
  wanted: TrackingOptions,
): TrackingOptions {
  if (!wanted.isBroadcast) return wanted;
  const added = wanted.prefixes.length === 0 ? [""] : wanted.prefixes;
  const prefixes = [...new Set([...now?.prefixes ?? [], ...added])].sort();
  return { ...wanted, prefixes };
}

/** The words after `CLIENT TRACKING ON` for a server, but for REDIRECT. */
export function trackingWords(options: TrackingOptions): string[] {
  return [
    ...options.isBroadcast ? ["BCAST"] : [],
    ...options.isOptIn ? ["OPTIN"] : [],
    ...options.isOptOut ? ["OPTOUT"] : [],
    ...options.isNoLoop ? ["NOLOOP"] : [],
  ];
}
