/**
 * What an import has done so far.
 *
 * @module
 */

/** See the header. */
export class ImportCounts {
  /** Bytes that came from the source. */
  bytes = 0;
  /** Keys that were read in the RDB. */
  keys = 0;
  /** Of these, those that had expired. */
  expired = 0;
  /** Keys that were not wanted. */
  leftOut = 0;
  /** Changes that were followed. */
  commands = 0;
  /** Keys that were read again at the source, because a change could not be repeated as it was. */
  reread = 0;
  /** Scripts whose text does not show that they use only the keys that they declare. */
  unclearScripts = 0;
  /** Requests that were repeated, because a proxy or server did not answer well. */
  repeated = 0;

  /** The sum of several. */
  static sum(all: readonly ImportCounts[]): ImportCounts {
    const sum = new ImportCounts();
    for (const each of all) {
      for (const name of Object.keys(sum) as (keyof ImportCounts)[]) sum[name] += each[name];
    }
    return sum;
  }
}
