/**
 * The route of outage events: what was out, and is.
 *
 * @module
 */

import { InputError } from "../../control/errors.ts";
import { OUTAGE_KIND_NAMES, type OutageEvent, type OutageKind } from "../../model/outage_event.ts";
import { integerOfText } from "../input.ts";
import { type ApiRoute, readMonitored } from "./route.ts";

/** Events of an answer: all that are kept. */
const EVENTS_MAX = 500;

/** See the header. */
export const EVENT_ROUTES: readonly ApiRoute[] = [
  readMonitored("/api/events", ({ dashboard, url: { searchParams } }) => {
    const limit = integerOfText("limit", searchParams.get("limit") ?? "100", 1, EVENTS_MAX);
    const since = timeOf(searchParams.get("since"));
    const kinds = kindsOf(searchParams.get("kind"));
    const isAsked = ({ kind }: OutageEvent) => kinds === undefined || kinds.has(kind);
    const events = dashboard.outages.newest().filter((event) =>
      event.at >= since && isAsked(event)
    );
    return Promise.resolve({
      events: events.slice(0, limit),
      open: dashboard.outages.open.filter(isAsked),
    });
  }),
];

function timeOf(text: string | null): number {
  if (text === null) return 0;
  const time = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(time)) return time;
  throw new InputError("since", "a time, 2026-11-29T11:00:00Z or milliseconds since 1970", text);
}

function kindsOf(text: string | null): ReadonlySet<OutageKind> | undefined {
  if (text === null) return undefined;
  return new Set(
    text.split(",").map((name) => {
      const kind = OUTAGE_KIND_NAMES.find((each) => each === name);
      if (kind !== undefined) return kind;
      throw new InputError("kind", `some of ${OUTAGE_KIND_NAMES.join(", ")}`, name);
    }),
  );
}
