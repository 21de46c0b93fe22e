/**
 * Writes values into the text of a config.ini; all other lines stay as they are.
 *
 *      key = old               ─► key = new           the last line with the key, as that one counts
 *      # key = an example      ─► … and key = new behind it
 *      nothing                 ─► key = new at the end
 *
 * @module
 */

/**
 * Writes values.
 *
 * @param text The whole file.
 * @param values By key; what one says is good for a line: no line break, no spaces around it.
 * @returns The whole new file.
 */
export function rewriteConfig(text: string, values: ReadonlyMap<string, string>): string {
  const end = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = text.split("\n");
  for (const [key, value] of values) {
    const line = `${key} = ${value}`;
    const own = lines.findLastIndex((each) => keyOf(each) === key);
    const example = lines.findLastIndex((each) => exampleOf(each) === key);
    if (own >= 0) lines[own] = line + tailOf(lines[own]!);
    else if (example >= 0) lines.splice(example + 1, 0, line + tailOf(lines[example]!));
    else append(lines, line, end);
  }
  return lines.join("\n");
}

function keyOf(line: string): string | undefined {
  const equals = line.indexOf("=");
  return equals < 0 || /^ *#/.test(line) ? undefined : trimKey(line.slice(0, equals));
}

/** The key of a line that is one but for its `#`. */
function exampleOf(line: string): string | undefined {
  return /^ *# *([\w.]+) *=/.exec(line)?.[1];
}

function trimKey(text: string): string {
  return text.replace(/^\ufeff/, "").trim();
}

/** What a line ends with, before its line feed. */
function tailOf(line: string): string {
  return line.endsWith("\r") ? "\r" : "";
}

function append(lines: string[], line: string, end: string): void {
  const carriage = end === "\r\n" ? "\r" : "";
  // The last line is empty in a file that ends with a line feed.
  if (lines.at(-1) === "") lines.splice(lines.length - 1, 0, line + carriage);
  else {
    lines[lines.length - 1] += carriage;
    lines.push(line + carriage, "");
  }
}
