/**
 * Why tests that pass on one redis-server must fail through the proxy.
 *
 * A test without a reason here is work to do.
 *
 * @module
 */

/** Tests that fail for one reason. */
interface Reason {
  readonly unit: RegExp;
  readonly test: RegExp;
  readonly why: string;
}

/** The first one that fits is given. */
const REASONS: readonly Reason[] = [
  {
    unit: /^unit\/(scripting|functions)$/,
    test:
      /^(Script read key with expiration set|FUNCTION - test fcall_ro with read only commands)$/,
    why: "the script declares no key: it runs on one server, and the key may be on another",
  },
  {
    unit: /^unit\/multi$/,
    test: /^Flushall while watching several keys by one client$/,
    why: "it watches keys of several slots",
  },
];

/** What the table of failures says where there is no reason. */
export const NO_REASON = "no reason known";

/** Why this test must fail, or {@linkcode NO_REASON}. */
export function reasonFor(unit: string, test: string): string {
  return REASONS.find((reason) => reason.unit.test(unit) && reason.test.test(test))?.why ??
    NO_REASON;
}
