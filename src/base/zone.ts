/**
 * Names of zones, of proxies and of servers: a data centre, a rack, whatever is near itself.
 *
 * @module
 */

/** Longest name of a zone, in characters. */
const ZONE_CHARACTERS_MAX = 64;

/** What the name of a zone may be, for messages. */
export const ZONE_RULE = `at most ${ZONE_CHARACTERS_MAX} letters, digits and . _ : -`;

/** Whether a text can be the name of a zone, `eu-west-1a`; it is empty for none. */
export function isZone(text: string): boolean {
  return /^[\w.:-]*$/.test(text) && text.length <= ZONE_CHARACTERS_MAX;
}
