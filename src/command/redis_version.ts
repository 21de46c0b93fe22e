/**
 * The version of Redis whose commands the table holds.
 *
 * @module
 */

/** The Redis whose commands and texts the proxy speaks. */
export const TABLE_VERSION = "7.0.15";
