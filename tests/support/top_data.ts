/**
 * What `codis-proxy top` shows, made up.
 *
 * @module
 */

import type { ClusterView } from "../../src/api/cluster_view.ts";
import type { ProxySlowRequest, TopData } from "../../src/cli/top/feed.ts";
import type { OutageEvent } from "../../src/model/outage_event.ts";
import { VIEW, VIEW_AT } from "./cluster_view.ts";

/** An outage that has not ended. */
export const OUTAGE: OutageEvent = {
  seq: 7,
  id: "7",
  outage: "server_down redis-3:6379 7",
  at: VIEW_AT - 7_000,
  phase: "begin",
  kind: "server_down",
  severity: "error",
  subject: "redis-3:6379",
  text: "group 2: the master redis-3:6379 does not answer",
  cause: "connection refused",
  hint: "look at its machine and its log, and start it again, or promote a replica in its place",
  count: 1,
  is_sent: true,
};

/** A slow request whose key would control a terminal. */
export const SLOW: ProxySlowRequest = {
  proxy_id: "proxy_1",
  id: 3,
  at: VIEW_AT - 2_000,
  usecs: 120_000,
  stages: { server: 114_000, queue: 6_000 },
  command: "lrange",
  args: ["LRANGE", "\x1b[2Jtimeline:\u202e日本:\x07", "0", "-1"],
  client: "10.0.0.9:51234",
  client_name: "feed\r\n",
  user: "default",
  server: "redis-1:6379",
  slot: 77,
  request_bytes: 60,
  reply_bytes: 1_000_000,
  end: "answered",
};

/** What is shown of a cluster. */
export function topData(view: ClusterView = VIEW, more: Partial<TopData> = {}): TopData {
  return {
    ...{ view, events: [OUTAGE], open: [OUTAGE], slow: [SLOW], slowProblem: "" },
    ...{ commands: undefined, lost: undefined },
    ...more,
  };
}
