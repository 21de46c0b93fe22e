/**
 * Redis's own test suite: the source package of Debian, fetched when it is first needed.
 *
 * @module
 */

const root = new URL("../..", import.meta.url).pathname;

/** The git-ignored folder with what is fetched and what runs leave. */
export const WORK_FOLDER = `${root}.conformance`;

/** Redis's source on this machine. */
export interface RedisSource {
  readonly folder: string;
  /** As `7.0.15`. */
  readonly version: string;
  /** The units of the suite that test one server, as `unit/type/list`. */
  readonly units: readonly string[];
}

/**
 * Fetches the source package unless it is there.
 *
 * @throws {Error} When it cannot be had; the text has what apt-get printed.
 */
export async function ensureSource(): Promise<RedisSource> {
  const { success, stderr } = await new Deno.Command("sh", {
    args: [`${root}tests/conformance/fetch_source.sh`, WORK_FOLDER],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`Redis's test suite is not here\n${new TextDecoder().decode(stderr)}`);
  }
  const folder = `${WORK_FOLDER}/redis`;
  const helper = await Deno.readTextFile(`${folder}/tests/test_helper.tcl`);
  const units = helper.match(/set ::all_tests \{([^}]*)\}/)?.[1]?.match(/\bunit\/\S+/g);
  const version = (await Deno.readTextFile(`${folder}/src/version.h`)).match(/"([\d.]+)"/)?.[1];
  if (units === undefined || units === null || version === undefined) {
    throw new Error(`${folder} has another form than expected: no list of units, or no version`);
  }
  return { folder, version, units };
}
