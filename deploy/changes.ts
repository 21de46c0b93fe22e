/**
 * What CHANGELOG.md says of one version.
 *
 * @module
 */

/**
 * The section of a version, without its heading.
 *
 * @throws {Error} When there is none.
 */
export function changesIn(changelog: string, version: string): string {
  const sections = changelog.split(/^(?=## )/m);
  const found = sections.find((section) =>
    section.split("\n")[0]!.replace(/[[\]]/g, "").split(/[\s:]+/).includes(version)
  );
  if (found === undefined) throw new Error(`CHANGELOG.md has no section for ${version}`);
  return `${found.split("\n").slice(1).join("\n").trim()}\n`;
}
