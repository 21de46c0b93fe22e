/**
 * Metrics of the cluster as the dashboard that leads sees it: groups, servers, slots, proxies, changes.
 *
 * @module
 */

import type { GroupView, ServerView } from "../../api/cluster_view.ts";
import { DRAIN_STATES } from "../../api/proxy_stats.ts";
import { type MetricSection, oneSample, type Sample } from "../../base/prometheus.ts";
import type { ClusterFacts, ClusterRow } from "./row.ts";

/** The states of a slot in the store, by the letters of the view. */
const SLOT_STATES: Readonly<Record<string, string>> = {
  o: "online",
  x: "offline",
  m: "migrate",
  p: "pre_migrate",
  u: "unreadable",
  "-": "missing",
};

/** Most records that cannot be read, each of which is a series. */
const UNREADABLE_MAX = 100;

/** See the header. */
export const CLUSTER_METRICS: MetricSection<ClusterRow> = {
  title: "Cluster",
  rows: [
    {
      name: "codis_cluster_groups",
      help: "Groups of servers",
      type: "gauge",
      labels: [],
      samples: ({ view }) => oneSample(view.groups.length),
    },
    {
      name: "codis_cluster_group_slots",
      help: "Slots that a group owns",
      type: "gauge",
      labels: ["group"],
      samples: ({ view }) => view.groups.map(({ id, slots }) => [{ group: id }, slots]),
    },
    {
      name: "codis_cluster_slots",
      help:
        "Slots by their state in the store: online, offline, migrate, pre_migrate, unreadable, missing",
      type: "gauge",
      labels: ["state"],
      *samples({ view }) {
        const counts = new Map(Object.values(SLOT_STATES).map((state) => [state, 0]));
        for (const letter of view.slots.status) {
          const state = SLOT_STATES[letter]!;
          counts.set(state, counts.get(state)! + 1);
        }
        for (const [state, count] of counts) yield [{ state }, count];
      },
    },
    {
      name: "codis_cluster_slots_served",
      help: "Slots whose requests can be answered: online or migrating, and their masters answer",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisSlotsNotServed",
        when: "codis_cluster_slots_served < 1024",
        minutes: 1,
        severity: "critical",
        summary:
          "Only {{ $value }} of 1024 slots can be served: requests of the others get errors.",
        fix:
          "codis-proxy config status names the masters that are down. codis-proxy config check names slots that are offline.",
      }],
      samples: ({ view }) => oneSample(view.slots.served),
    },
    {
      name: "codis_cluster_unreadable_record",
      help:
        "1 for each record of the store that cannot be read, at most 100; all others count. Nothing while there is none",
      type: "gauge",
      labels: ["path", "reason"],
      alerts: [{
        name: "CodisUnreadableRecord",
        when: "codis_cluster_unreadable_record == 1",
        minutes: 1,
        severity: "critical",
        summary: "{{ $labels.path }} in the coordinator cannot be read: {{ $labels.reason }}.",
        fix: "codis-proxy config check names it, and the command that puts it right.",
      }],
      samples: ({ view }) =>
        view.unreadable_records.slice(0, UNREADABLE_MAX)
          .map(({ path, reason }) => [{ path, reason }, 1]),
    },
    {
      name: "codis_cluster_dead_fences",
      help:
        "Fenced addresses without a proxy that is online: while there is one, nothing can be changed",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisDeadFence",
        when: "codis_cluster_dead_fences > 0",
        minutes: 5,
        severity: "warning",
        summary:
          "{{ $value }} proxies have left a fence: nothing can be changed, and no failover happens.",
        fix:
          "Start that proxy again. If its process is surely gone: codis-proxy config action remove-fence.",
      }],
      samples: ({ view }) => oneSample(view.dead_fences.length),
    },
    {
      name: "codis_cluster_fences",
      help: "Fenced addresses: proxies that serve, and proxies that have not ended in order",
      type: "gauge",
      labels: [],
      samples: ({ fences }) => oneSample(fences),
    },
    {
      name: "codis_cluster_change_seconds",
      help: "For how long a change has been carried out; 0 while there is none",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisChangeHangs",
        when: "codis_cluster_change_seconds > 60",
        minutes: 0,
        severity: "warning",
        summary: "A change has not been finished for {{ $value | humanizeDuration }}.",
        fix: "codis-proxy config status says which one, and which proxy it waits for.",
      }],
      samples: ({ changeSince }) =>
        oneSample(changeSince === undefined ? 0 : Math.max(0, Date.now() - changeSince) / 1000),
    },
    {
      name: "codis_cluster_failover_on",
      help: "1 if the dashboard promotes a replica when a master is down (failover = auto)",
      type: "gauge",
      labels: [],
      samples: ({ isFailoverOn }) => oneSample(isFailoverOn ? 1 : 0),
    },
    {
      name: "codis_cluster_failovers_total",
      help:
        "Promotions that the dashboard decided since it started: done, or failed and tried again",
      type: "counter",
      labels: ["result"],
      alerts: [{
        name: "CodisFailover",
        when: 'sum(increase(codis_cluster_failovers_total{result="done"}[10m])) > 0',
        minutes: 0,
        severity: "warning",
        summary: "A replica has taken its master's place.",
        fix:
          "The log of the dashboard names both. Mend the old master, and add it again as a replica.",
      }],
      samples: ({ failovers }) => [
        [{ result: "done" }, failovers.done],
        [{ result: "failed" }, failovers.failed],
      ],
    },
    {
      name: "codis_cluster_proxies",
      help: "Proxies that are registered, by their state in the store",
      type: "gauge",
      labels: ["state"],
      alerts: [{
        name: "CodisNoProxyOnline",
        when: 'sum(codis_cluster_proxies{state="online"}) - ' +
          '(sum(codis_cluster_proxy_drain{state="drained"}) or vector(0)) == 0',
        minutes: 1,
        severity: "critical",
        summary: "No proxy accepts clients: none is online, or those that are online are drained.",
        fix:
          "Start one. If one runs, its log says why it is not online. One that is drained: restart it.",
      }],
      *samples({ view }) {
        for (const state of ["online", "offline", "mark_offline"]) {
          yield [{ state }, view.proxies.filter((proxy) => proxy.state === state).length];
        }
      },
    },
    {
      name: "codis_cluster_proxy_drain",
      help:
        "1 for what a proxy that is online does: draining, it lets its clients go, or drained, it accepts none",
      type: "gauge",
      labels: ["proxy", "state"],
      alerts: [{
        name: "CodisProxyDrained",
        when: 'codis_cluster_proxy_drain{state="drained"} == 1',
        minutes: 10,
        severity: "warning",
        summary: "Proxy {{ $labels.proxy }} is drained: it runs, and accepts no clients.",
        fix: "Stop it, or restart it.",
      }],
      samples: ({ view }) =>
        view.proxies.filter(({ state }) => state === "online").flatMap(({ id, drain }) =>
          DRAIN_STATES.map((state): Sample => [{ proxy: id, state }, state === drain ? 1 : 0])
        ),
    },
    {
      name: "codis_cluster_proxy_up",
      help: "1 while a registered proxy answers this dashboard",
      type: "gauge",
      labels: ["proxy"],
      alerts: [{
        name: "CodisProxyUnreachable",
        when: "codis_cluster_proxy_up == 0",
        minutes: 1,
        severity: "warning",
        summary: "Proxy {{ $labels.proxy }} does not answer the dashboard.",
        fix: "Look at its process and its http address (announce_http_addr).",
      }],
      samples: ({ view }) =>
        view.proxies.map(({ id, is_reachable }) => [{ proxy: id }, is_reachable ? 1 : 0]),
    },
  ],
};

/** Of servers, as they answer INFO. */
export const SERVER_METRICS: MetricSection<ClusterRow> = {
  title: "Redis servers",
  rows: [
    {
      name: "codis_cluster_server_up",
      help:
        "1 while a server answers this dashboard; type is master, slave or offline, as in the store",
      type: "gauge",
      labels: ["group", "server", "type"],
      alerts: [{
        name: "CodisMasterDown",
        when: 'codis_cluster_server_up{type="master"} == 0',
        minutes: 1,
        severity: "critical",
        summary:
          "The master {{ $labels.server }} of group {{ $labels.group }} does not answer: its slots get errors.",
        fix:
          "Look at that server. codis-proxy config server promote {{ $labels.group }} <replica>, or set failover = auto.",
      }, {
        name: "CodisReplicaDown",
        when: 'codis_cluster_server_up{type="slave"} == 0',
        minutes: 5,
        severity: "warning",
        summary: "The replica {{ $labels.server }} of group {{ $labels.group }} does not answer.",
        fix: "Look at that server; without it, nothing can take the master's place.",
      }],
      samples: (facts) => perServer(facts, ({ is_reachable }) => is_reachable ? 1 : 0, true),
    },
    {
      name: "codis_cluster_server_problem",
      help:
        "1 while a server answers, but is not as it should be: another role, another master, a link that is down, other functions than other masters",
      type: "gauge",
      labels: ["group", "server"],
      alerts: [{
        name: "CodisServerDiffers",
        when: "codis_cluster_server_problem == 1",
        minutes: 2,
        severity: "warning",
        summary: "Server {{ $labels.server }} of group {{ $labels.group }} is not as it should be.",
        fix:
          "codis-proxy config status says how; codis-proxy config check prints a command that mends it.",
      }],
      samples: (facts) =>
        perServer(
          facts,
          ({ is_reachable, problem }) => is_reachable ? problem === "" ? 0 : 1 : null,
        ),
    },
    {
      name: "codis_cluster_server_keys",
      help: "Keys that a server has",
      type: "gauge",
      labels: ["group", "server"],
      samples: (facts) => perServer(facts, ({ keys }) => keys),
    },
    {
      name: "codis_cluster_server_memory_bytes",
      help: "used_memory of a server",
      type: "gauge",
      labels: ["group", "server"],
      samples: (facts) => perServer(facts, ({ memory_bytes }) => memory_bytes),
    },
    {
      name: "codis_cluster_server_memory_max_bytes",
      help: "maxmemory of a server; 0: no limit",
      type: "gauge",
      labels: ["group", "server"],
      alerts: [{
        name: "CodisServerMemoryNearLimit",
        when:
          "codis_cluster_server_memory_bytes / (codis_cluster_server_memory_max_bytes > 0) > 0.9",
        minutes: 5,
        severity: "warning",
        summary:
          "Server {{ $labels.server }} of group {{ $labels.group }} uses {{ $value | humanizePercentage }} of its maxmemory.",
        fix: "Move slots to another group (codis-proxy config slot rebalance), or raise maxmemory.",
      }],
      samples: (facts) => perServer(facts, ({ maxmemory_bytes }) => maxmemory_bytes),
    },
    {
      name: "codis_cluster_server_clients",
      help: "Connections that a server has",
      type: "gauge",
      labels: ["group", "server"],
      samples: (facts) => perServer(facts, ({ clients }) => clients),
    },
    {
      name: "codis_cluster_server_requests_per_second",
      help: "instantaneous_ops_per_sec of a server",
      type: "gauge",
      labels: ["group", "server"],
      samples: (facts) => perServer(facts, ({ ops }) => ops),
    },
    {
      name: "codis_cluster_replica_link_up",
      help: "1 while a replica is linked to its master",
      type: "gauge",
      labels: ["group", "server"],
      samples: (facts) =>
        perServer(facts, ({ replication }) => replication && (replication.is_up ? 1 : 0)),
    },
    {
      name: "codis_cluster_replica_lag_bytes",
      help: "How far a replica is behind its master",
      type: "gauge",
      labels: ["group", "server"],
      alerts: [{
        name: "CodisReplicaLags",
        when: "codis_cluster_replica_lag_bytes > 67108864",
        minutes: 5,
        severity: "warning",
        summary:
          "Replica {{ $labels.server }} of group {{ $labels.group }} is {{ $value | humanize1024 }}B behind its master.",
        fix: "Look at its network and disk. A failover now would lose these writes.",
      }],
      samples: (facts) => perServer(facts, ({ replication }) => replication?.lag_bytes ?? null),
    },
  ],
};

/** A value of each server of which it is known. */
function* perServer(
  { view }: ClusterFacts,
  value: (server: ServerView, group: GroupView) => number | null,
  withType = false,
): Generator<Sample> {
  for (const group of view.groups) {
    for (const server of group.servers) {
      const found = value(server, group);
      if (found === null) continue;
      const type = withType ? { type: server.type } : {};
      yield [{ group: group.id, server: server.addr, ...type }, found];
    }
  }
}
