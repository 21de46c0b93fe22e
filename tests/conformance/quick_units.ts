/**
 * The units that `make test` runs each time: together under 40 s, and one for each thing that a proxy
 * may do wrong in a way of its own.
 *
 * @module
 */

/** See the header. */
export const QUICK_UNITS: readonly string[] = [
  ...["unit/quit", "unit/keyspace", "unit/type/incr", "unit/bitfield"],
  ...["unit/scripting", "unit/functions", "unit/multi", "unit/pubsub", "unit/tracking"],
];

/**
 * Their tests that `make test` leaves out. These hold a machine to times that a busy one does not keep, or
 * wait 5 s and more for what their reason says does not come.
 */
export const QUICK_SKIPPED: readonly string[] = [
  // Each counts on -BUSY 200 ms after a script has begun, or waits for PING to be answered so.
  "MULTI and script timeout",
  "EXEC and script timeout",
  "MULTI-EXEC body and script timeout",
  "just EXEC and script timeout",
  "Timedout read-only scripts can be killed by SCRIPT KILL",
  "Timedout read-only scripts can be killed by SCRIPT KILL even when use pcall",
  "Timedout script does not cause a false dead client",
  "Timedout script link is still usable after Lua returns",
  "Timedout scripts and unblocked command",
  "FUNCTION - test function kill",
  "FUNCTION - test script kill not working on function",
  "FUNCTION - test function kill not working on eval",
  // Two clients, of which the first does not wait for its reply: over two connections, either may be the first.
  "PUBLISH/SUBSCRIBE after UNSUBSCRIBE without arguments",
  "PUBLISH/PSUBSCRIBE after PUNSUBSCRIBE without arguments",
  // A key must have expired, and been found, within 100 ms.
  "Tracking invalidation message is not interleaved with multiple keys response",
  // Both servers send an invalidation for FLUSHDB: the second one is taken for a reply of the next test.
  "flushdb tracking invalidation message is not interleaved with transaction response",
  // It waits 15 s.
  "Server is able to evacuate enough keys when num of keys surpasses limit by more than defined initial effort",
];
