/**
 * The part of a Markdown file that a program writes, between two comments: `<!-- NAME -->` and `<!-- /NAME -->`.
 *
 * @module
 */

/**
 * Puts new content between the two comments.
 *
 * @param text The whole file.
 * @returns The whole new file.
 * @throws {Error} When the comments are missing or in the wrong order.
 */
export function replaceGeneratedSection(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const beginAt = text.indexOf(begin);
  const endAt = text.indexOf(end);
  if (beginAt < 0 || endAt < beginAt) throw new Error(`no "${begin}" followed by "${end}"`);
  const head = text.slice(0, beginAt + begin.length);
  return `${head}\n\n${content}\n\n${text.slice(endAt)}`;
}
