/**
 * The units that `make test` runs each time: together under 40 s, and one for each thing that a proxy
 * may do wrong in a way of its own.
 *
 * @module
 */

/** See the header. */
export const QUICK_UNITS: readonly string[] = [
  ...["unit/quit", "unit/keyspace", "unit/type/incr", "unit/bitfield"],
  ...["unit/scripting", "unit/functions", "unit/multi", "unit/pubsub"],
];
