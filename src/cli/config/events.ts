/**
 * The command `config events`: what was out, and is.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { delay } from "@std/async/delay";
import type { EventsAnswer } from "../../api/answers.ts";
import type { DashboardClient } from "../../api/dashboard_client.ts";
import { outageLine } from "../../control/outages.ts";
import { OUTAGE_KIND_NAMES, type OutageEvent } from "../../model/outage_event.ts";
import { parseWhole, parseWord } from "../parts/arguments.ts";
import { configCommand } from "../parts/config_command.ts";
import type { CommandContext } from "../parts/context.ts";
import { isDashboardAway } from "../parts/migration_wait.ts";
import { type Flag, type FlagValues, isGiven, readValue } from "../parts/subcommand.ts";
import { formatTable, maskControls } from "../parts/table.ts";

/** Most events that are kept. */
const EVENTS_MAX = 500;
/** Time between two questions of `--follow`, in milliseconds. */
const FOLLOW_MS = 1_000;
/** How far `--follow` looks back, as an event may be told late, in milliseconds. */
const LATE_MS = 600_000;
/** Milliseconds of the units of `--since`. */
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

const LIMIT: Flag<number> = {
  name: "n",
  value: "num",
  default: "50",
  help: "show the newest <num> events",
  parse: (text) => parseWhole(text, "a number of events", 1, EVENTS_MAX),
};

const SINCE: Flag<number> = {
  name: "since",
  value: "time",
  default: "",
  help: "show only events since then: 30m, 24h or 7d ago, or 2026-11-29T11:00:00Z",
  parse: parseSince,
};

const KIND: Flag<string> = {
  name: "kind",
  value: "kinds",
  default: "",
  help: `show only these, with commas between them: ${OUTAGE_KIND_NAMES.join(", ")}`,
  words: OUTAGE_KIND_NAMES,
  parse: (text) => text.split(",").map((kind) => parseWord(kind, OUTAGE_KIND_NAMES)).join(","),
};

const FOLLOW: Flag = {
  name: "follow",
  value: "",
  default: "",
  help: "go on with each new event, until Ctrl-C; with --output=json a line of JSON for each",
};

/** See the header. */
export const eventsCommand = configCommand({
  name: "events",
  summary: "Show what was out and is: servers, replicas, proxies, dashboards, failovers.",
  details: `The newest ${EVENTS_MAX} events are kept.`,
  flags: [LIMIT, SINCE, KIND, FOLLOW],
  run: async (values, context) => {
    const filter = filterOf(values);
    const isFollowing = isGiven(values, FOLLOW);
    const client = await (isFollowing ? context.followingClient() : context.client());
    const answer = await client.events(filter);
    if (isFollowing) return await follow(client, context, filter, answer);
    return { json: answer, text: tableOf(answer) };
  },
});

function filterOf(values: FlagValues): Parameters<DashboardClient["events"]>[0] {
  return {
    limit: readValue(values, LIMIT),
    ...isGiven(values, SINCE) ? { since: readValue(values, SINCE) } : {},
    ...isGiven(values, KIND) ? { kind: readValue(values, KIND) } : {},
  };
}

function parseSince(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  const at = digits === undefined ? Date.parse(text) : Date.now() - Number(digits) * UNITS[unit!]!;
  if (Number.isFinite(at)) return Math.max(0, at);
  throw new SyntaxError(`"${text}" is not a time such as 30m, 24h, 7d or 2026-11-29T11:00:00Z`);
}

/** Prints events, oldest first, until the process is ended. */
async function follow(
  client: DashboardClient,
  { outputFormat }: CommandContext,
  { kind }: { readonly kind?: string },
  first: EventsAnswer,
): Promise<never> {
  const seen = new Set<string>();
  let isAway = false;
  for (let { events } = first;;) {
    for (const event of [...events ?? []].reverse()) {
      if (seen.has(event.id)) continue;
      seen.add(event.id);
      console.log(outputFormat === "json" ? JSON.stringify(event) : rowOf(event).join("  "));
    }
    await delay(FOLLOW_MS);
    try {
      const since = Date.now() - LATE_MS;
      ({ events } = await client.events({
        ...{ limit: EVENTS_MAX, since },
        ...kind === undefined ? {} : { kind },
      }));
      isAway = false;
    } catch (error) {
      if (!isDashboardAway(error)) throw error;
      if (!isAway) console.error(`${error.message}; asking again`);
      isAway = true;
      events = [];
    }
  }
}

function tableOf({ events, open }: EventsAnswer): string {
  if (events === null || events.length === 0) return "no outage was noted";
  const table = formatTable(["WHEN", "KIND", "", "WHAT"], events.map(rowOf));
  if (open === null || open.length === 0) return `${table}\n\nnothing is out now`;
  const now = open.map(({ text, hint, at }) =>
    `  ${maskControls(text)}, since ${new Date(at).toISOString()}${
      hint === "" ? "" : `; what to do: ${maskControls(hint)}`
    }`
  );
  return `${table}\n\n${countOf(open.length, "outage")} now:\n${now.join("\n")}`;
}

function rowOf(event: OutageEvent): string[] {
  return [
    new Date(event.at).toISOString(),
    event.kind,
    { begin: "begins", end: "ends", once: "" }[event.phase],
    maskControls(outageLine({ ...event, hint: "" })),
  ];
}
