/**
 * The INFO of several masters as that of one: each field by its rule, and the sections whose fields are not
 * known before.
 *
 * @module
 */

import { INFO_FIELDS, INFO_RATIOS, type InfoField } from "../../command/info_fields.ts";

/** The lines of a section: names and values. */
export type InfoFields = [name: string, value: string | number][];

/** The INFO of one master. */
export interface MasterInfo {
  readonly hostname: string;
  /** Fields by section, in lower case; a name that comes several times has its last value. */
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The lines of its section Modules. */
  readonly modules: readonly string[];
}

/** Reads the text of an INFO reply. */
export function readMasterInfo(hostname: string, text: string): MasterInfo {
  const sections = new Map<string, Map<string, string>>();
  const modules: string[] = [];
  let fields = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    if (line.startsWith("# ")) {
      const name = line.slice(2).toLowerCase();
      sections.set(name, fields = new Map());
      continue;
    }
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    if (line.startsWith("module:")) modules.push(line.slice(colon + 1));
    else fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return { hostname, sections, modules };
}

/** The values that mean that nothing is wrong. */
const GOOD = ["ok", "noeviction"];

/**
 * A section of the table.
 *
 * @param own The proxy's own values.
 */
export function sectionOf(
  section: string,
  masters: readonly MasterInfo[],
  own: ReadonlyMap<string, string | number>,
): InfoFields {
  const out: InfoFields = [];
  const known = new Set<string>();
  for (const field of INFO_FIELDS.get(section) ?? []) {
    known.add(field.name);
    const value = field.rule === "own"
      ? own.get(field.name)
      : valueOf(section, field, masters, Object.fromEntries(out));
    if (value !== undefined) out.push([field.name, value]);
  }
  // Fields of other versions: what all say is true of the whole.
  const [first, ...others] = masters.map(({ sections }) => sections.get(section));
  for (const [name, value] of first ?? []) {
    const isOfAll = others.every((fields) => fields?.get(name) === value);
    if (isOfAll && !known.has(name) && !/^slave\d/.test(name)) out.push([name, value]);
  }
  return out;
}

function valueOf(
  section: string,
  { name, rule }: InfoField,
  masters: readonly MasterInfo[],
  before: Readonly<Record<string, string | number>>,
): string | number | undefined {
  if (rule === "human") {
    const bytes = before[name.replace(/_human$/, "")];
    return bytes === undefined ? undefined : humanBytes(Number(bytes));
  }
  if (rule === "ratio") return ratioOf(section, name, masters);
  const of = masters.flatMap(({ hostname, sections }) => {
    const value = sections.get(section)?.get(name);
    return value === undefined ? [] : [{ hostname, value }];
  });
  if (of.length === 0) return undefined;
  const texts = of.map(({ value }) => value);
  switch (rule) {
    case "first":
      return texts[0];
    case "worst":
      return texts.find((text) => !GOOD.includes(text)) ?? texts[0];
    case "sum":
      return sumOf(texts);
    case "limit":
      return texts.includes("0") ? 0 : sumOf(texts);
    case "hosts":
      return sumOf([...new Map(of.map(({ hostname, value }) => [hostname, value])).values()]);
    case "max":
    case "min":
      return texts.reduce((a, b) => (Number(b) > Number(a)) === (rule === "max") ? b : a);
  }
  return undefined;
}

/** The sum with as many decimals as the first one has. */
function sumOf(texts: readonly string[]): string {
  const sum = texts.reduce((total, text) => total + Number(text), 0);
  return sum.toFixed(/\.(\d+)$/.exec(texts[0]!)?.[1]?.length ?? 0);
}

function ratioOf(
  section: string,
  name: string,
  masters: readonly MasterInfo[],
): string | undefined {
  const { of, by, less } = INFO_RATIOS[name]!;
  const total = (field: string) =>
    masters.reduce((sum, { sections }) => sum + Number(sections.get(section)?.get(field) ?? 0), 0);
  if (!masters.some(({ sections }) => sections.get(section)?.has(name))) return undefined;
  const divisor = total(by) - (less === undefined ? 0 : total(less));
  const ratio = divisor > 0 ? total(of) / divisor : 0;
  return name.endsWith("_perc") ? `${(100 * ratio).toFixed(2)}%` : ratio.toFixed(2);
}

/** Bytes for people, as Redis prints them. */
function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let unit = -1;
  let value = bytes;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${"KMGTP"[unit]}`;
}

// -- sections of any fields -------------------------------------------------------------------

/** `cmdstat_…`: added up. */
export function commandStats(masters: readonly MasterInfo[]): InfoFields {
  return combined(masters, "commandstats", (values) => {
    const sum = (name: string) => values.reduce((total, value) => total + numberOf(value, name), 0);
    const [calls, usec] = [sum("calls"), sum("usec")];
    const each = calls === 0 ? 0 : usec / calls;
    return `calls=${calls},usec=${usec},usec_per_call=${each.toFixed(2)}` +
      `,rejected_calls=${sum("rejected_calls")},failed_calls=${sum("failed_calls")}`;
  });
}

/** `errorstat_…`: added up. */
export function errorStats(masters: readonly MasterInfo[]): InfoFields {
  return combined(
    masters,
    "errorstats",
    (values) => `count=${values.reduce((total, value) => total + numberOf(value, "count"), 0)}`,
  );
}

/** `latency_percentiles_usec_…`: each percentile of the slowest master. */
export function latencyStats(masters: readonly MasterInfo[]): InfoFields {
  return combined(masters, "latencystats", (values) => {
    const names = values[0]!.split(",").map((pair) => pair.split("=")[0]!);
    return names.map((name) => {
      const texts = values.map((value) => pairOf(value, name) ?? "0.000");
      return `${name}=${texts.reduce((a, b) => Number(b) > Number(a) ? b : a)}`;
    }).join(",");
  });
}

/** `dbN`: keys added up, the average of their times to live. */
export function keyspace(masters: readonly MasterInfo[]): InfoFields {
  const fields = combined(masters, "keyspace", (values) => {
    const sum = (name: string) => values.reduce((total, value) => total + numberOf(value, name), 0);
    const expires = sum("expires");
    const ttl = values.reduce(
      (total, value) => total + numberOf(value, "expires") * numberOf(value, "avg_ttl"),
      0,
    );
    const average = expires === 0 ? 0 : Math.round(ttl / expires);
    return `keys=${sum("keys")},expires=${expires},avg_ttl=${average}`;
  });
  return fields.sort(([a], [b]) => Number(a.slice(2)) - Number(b.slice(2)));
}

/** The modules that all masters have. */
export function moduleLines(masters: readonly MasterInfo[]): InfoFields {
  const [first, ...others] = masters;
  return (first?.modules ?? [])
    .filter((line) => others.every(({ modules }) => modules.includes(line)))
    .map((line) => ["module", line]);
}

/** Each field that a section of any master has. */
function combined(
  masters: readonly MasterInfo[],
  section: string,
  combine: (values: readonly string[]) => string,
): InfoFields {
  const names = new Set(
    masters.flatMap(({ sections }) => [...sections.get(section)?.keys() ?? []]),
  );
  return [...names].map((name) => {
    const values = masters.flatMap(({ sections }) => sections.get(section)?.get(name) ?? []);
    return [name, combine(values)];
  });
}

/** The value of `name` in `name=value,name=value`. */
function pairOf(text: string, name: string): string | undefined {
  return text.split(",").find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

function numberOf(text: string, name: string): number {
  return Number(pairOf(text, name) ?? 0);
}
