/**
 * How the config commands print what they have to say: JSON for programs, text for people.
 *
 * @module
 */

/** What a config command has done. */
export interface CommandOutput {
  /** For programs; left out with `text`: nothing is printed. */
  readonly json?: unknown;
  /** For people. */
  readonly text?: string;
  /** @default 0 */
  readonly exitCode?: number;
}

/** The ways of printing it. */
export const OUTPUT_FORMATS = ["table", "json"] as const;

/** One of {@linkcode OUTPUT_FORMATS}. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Prints an outcome on standard output. */
export function printOutput(outcome: CommandOutput, format: OutputFormat): void {
  const text = format === "json" ? toJson(outcome.json) : outcome.text;
  if (text !== undefined) console.log(text);
}

/** A list of nothing but numbers; line ends within texts are escaped, so it is never part of one. */
const NUMBERS = /\[\n(?:\s*(?:-?[\d.eE+-]+|null),?\n)+\s*\]/g;

/**
 * JSON as Codis 2.0's codis-config prints it: two spaces, fields by name, Go's escapes; but a list of
 * numbers, which codis-config has none of, is one line.
 */
export function toJson(value: unknown): string | undefined {
  return JSON.stringify(sortFields(value), null, 2)
    ?.replace(NUMBERS, (list) => list.replace(/\n\s*/g, " ").replace("[ ", "[").replace(" ]", "]"))
    .replace(
      /[<>&\u2028\u2029]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

function sortFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortFields);
  if (typeof value !== "object" || value === null) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(
    names.map((name) => [name, sortFields((value as Record<string, unknown>)[name])]),
  );
}
