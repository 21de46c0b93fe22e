/**
 * What `codis-proxy top` shows, made up.
 *
 * @module
 */

import type { HotKeysOfAll } from "../../src/api/answers.ts";
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

/** Hot and big keys, one of which would control a terminal if it were not escaped already. */
export const KEYS: HotKeysOfAll = {
  ...{ is_on: true, requests_per_second: 20_000, problems: [] },
  hot: [{
    ...{ key: "feed:日本", key_bytes: 11, db: 0, slot: 77, server: "redis-1:6379" },
    ...{ reads_per_second: 4_800, writes_per_second: 200, share: 0.25 },
  }, {
    ...{ key: "\\x1b[2J", key_bytes: 4, db: 3, slot: 5, server: "redis-1:6379" },
    ...{ reads_per_second: 100, writes_per_second: 0, share: 0.005 },
  }],
  big: [{
    ...{ key: "feed:日本", key_bytes: 11, db: 0, slot: 77, server: "redis-1:6379", of: "reply" },
    ...{ bytes: 3_000_000, command: "hgetall", has_more_keys: false, at: VIEW_AT - 60_000 },
  }],
};

/** What is shown of a cluster. */
export function topData(view: ClusterView = VIEW, more: Partial<TopData> = {}): TopData {
  return {
    ...{ view, events: [OUTAGE], open: [OUTAGE], slow: [SLOW], slowProblem: "" },
    ...{ keys: KEYS, keysProblem: "" },
    ...{ commands: undefined, lost: undefined },
    ...more,
  };
}
