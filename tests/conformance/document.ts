/**
 * docs/conformance.md: what the last run of all units has shown, at rest and while slots move.
 *
 * @module
 */

import { type Totals, totalsOf, type UnitComparison } from "./comparison.ts";

export const DOCUMENT = new URL("../../docs/conformance.md", import.meta.url).pathname;

/** The parts of the document that runs write. */
export type Part = "at rest" | "while slots move";

const TABLE_HEAD =
  "| unit | tests | passed directly | of these through the proxy |\n|---|---|---|---|\n";

/** The sentence over the table. */
function summary({ tests, passedDirectly, passedThrough, hangs }: Totals, version: string): string {
  return `Redis ${version}: of ${tests} tests ${passedDirectly} pass directly, and of these ` +
    `${passedThrough} pass through the proxy. ${hangs} wait in vain for a reply of the proxy.`;
}

/** The table of units, and the list of tests that fail only through the proxy. */
export function partText(units: readonly UnitComparison[], version: string): string {
  const totals = totalsOf(units);
  const row = (
    { tests, passedDirectly, passedThrough }: Omit<Totals, "hangs">,
    name: string,
  ) => `| ${name} | ${tests} | ${passedDirectly} | ${passedThrough} |\n`;
  const lists = units.filter(({ differences }) => differences.length > 0).map((
    { unit, differences },
  ) =>
    `#### ${unit}\n\n${
      differences.map(({ name, reason }) => `- ${code(name)}: ${reason}\n`).join("")
    }\n`
  );
  return [
    `${summary(totals, version)}\n\n`,
    TABLE_HEAD,
    ...units.map((unit) => row(unit, unit.unit)),
    row(totals, "**all**"),
    "\n",
    ...lists.length > 0 ? ["### Tests that fail only through the proxy\n\n"] : [],
    ...lists,
  ].join("");
}

/** A test's name as code; the names that Redis gives have no back-ticks but in a few places. */
function code(name: string): string {
  return `\`${name.replaceAll("`", "'").replace(/\s+/g, " ").trim()}\``;
}

/**
 * Puts a part's new text between its marks.
 *
 * @throws {Error} When the document has no marks for it.
 */
export function replacePart(document: string, part: Part, text: string): string {
  const [begin, end] = [`<!-- ${part} -->`, `<!-- /${part} -->`];
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/conformance.md has no "${begin}" … "${end}"`);
  return `${document.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${document.slice(to)}`;
}

/** Writes a part into docs/conformance.md. */
export async function writePart(part: Part, text: string): Promise<void> {
  await Deno.writeTextFile(DOCUMENT, replacePart(await Deno.readTextFile(DOCUMENT), part, text));
}
