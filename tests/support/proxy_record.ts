/**
 * The proxy that tests of the store and of membership register.
 *
 * @module
 */

import type { ProxyRecord } from "../../src/model/proxy.ts";

/** The proxy under test, as it registers. */
export const RECORD: ProxyRecord = {
  id: "proxy_1",
  addr: "here:9000",
  last_event: "",
  last_event_ts: 0,
  state: "offline",
  description: "",
  debug_var_addr: "here:9001",
  pid: 7,
  start_at: "2026-11-22 05:16:07 +0000 UTC",
};
