/**
 * The output of the config commands: JSON for programs, text for people.
 *
 * @module
 */

/** What a config command prints, and its exit code. */
export interface CommandOutput {
  /** For programs. Without `json` and `text`, nothing is printed. */
  readonly json?: unknown;
  /** For people. */
  readonly text?: string;
  /** @default 0 */
  readonly exitCode?: number;
}

/** The formats of the output. */
export const OUTPUT_FORMATS = ["table", "json"] as const;

/** One of {@linkcode OUTPUT_FORMATS}. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Prints on standard output. */
export function printOutput(output: CommandOutput, format: OutputFormat): void {
  const text = format === "json" ? toJson(output.json) : output.text;
  if (text !== undefined) console.log(text);
}

/** A list of only numbers. Never part of a text: JSON escapes line ends within texts. */
const NUMBERS = /\[\n(?:\s*(?:-?[\d.eE+-]+|null),?\n)+\s*\]/g;

/**
 * Writes JSON as Codis 2.0's codis-config prints it: two spaces, fields in order of their names, Go's
 * escapes. Lists of numbers, which codis-config does not have, are one line.
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
