/**
 * For each alert, measured values that must make it fire; and a healthy cluster, of which none may.
 *
 * @module
 */

/** Samples of one series, one a minute, as promtool writes them: `0+60x10` grows by 60, ten times. */
export interface Series {
  readonly series: string;
  readonly values: string;
}

const one = (series: string, values: string): Series[] => [{ series, values }];

/** What makes each alert fire, within an hour and a half. */
export const FIRING: Readonly<Record<string, readonly Series[]>> = {
  CodisProxyNotOnline: one('codis_proxy_online{instance="p"}', "0x90"),
  CodisProxyTableStale: one('codis_proxy_table_stale_seconds{instance="p"}', "0+60x90"),
  CodisProxySlotsOffline: one('codis_proxy_slots{instance="p",state="offline"}', "3x90"),
  CodisProxySlotsBlocked: one('codis_proxy_slots{instance="p",state="blocked"}', "3x90"),
  CodisProxyHeldUp: [
    {
      series: 'codis_proxy_event_loop_lag_seconds_sum{instance="p",worker="0"}',
      values: "0+60x90",
    },
    {
      series: 'codis_proxy_event_loop_lag_seconds_count{instance="p",worker="0"}',
      values: "0+600x90",
    },
  ],
  CodisProxyClientsNearLimit: [
    { series: 'codis_proxy_sessions{instance="p",worker="0"}', values: "500x90" },
    { series: 'codis_proxy_sessions{instance="p",worker="1"}', values: "450x90" },
    { series: 'codis_proxy_clients_max{instance="p"}', values: "1000x90" },
  ],
  CodisProxyClientsRejected: one('codis_proxy_rejected_connections_total{instance="p"}', "0+1x90"),
  CodisProxyClientsClosedForMemory: one(
    'codis_proxy_closed_sessions_total{instance="p",reason="overflow"}',
    "0+1x90",
  ),
  CodisProxyWrongPasswords: one('codis_proxy_throttled_auths_total{instance="p"}', "0+1x90"),
  CodisProxyRequestsFail: one(
    'codis_proxy_command_failures_total{instance="p",command="get"}',
    "0+60x90",
  ),
  CodisProxyServerNotReached: [
    { series: 'codis_proxy_backend_up{instance="p",worker="0",server="s"}', values: "1x90" },
    { series: 'codis_proxy_backend_up{instance="p",worker="1",server="s"}', values: "0x90" },
  ],
  CodisProxyServerSlow: one(
    'codis_proxy_backend_oldest_request_seconds{instance="p",server="s"}',
    "9x90",
  ),
  CodisProxyCircuitOpen: [
    {
      series: 'codis_proxy_backend_circuit_open{instance="p",worker="0",server="s"}',
      values: "0x90",
    },
    {
      series: 'codis_proxy_backend_circuit_open{instance="p",worker="1",server="s"}',
      values: "1x90",
    },
  ],
  CodisProxyPrivateConnectionsUsedUp: one(
    'codis_proxy_private_connection_refusals_total{instance="p",server="s"}',
    "0+1x90",
  ),
  CodisProxyReplicaServesNoReads: one(
    'codis_proxy_replica_serving{instance="p",server="s",group="1"}',
    "0x90",
  ),
  CodisNoDashboardLeads: one('codis_dashboard_leading{instance="d"}', "0x90"),
  CodisCoordinatorAway: one(
    'codis_dashboard_coordinator_state{instance="d",state="connected"}',
    "0x90",
  ),
  CodisWebhookLosesEvents: one('codis_webhook_events_total{instance="d",end="lost"}', "0+1x90"),
  CodisSlotsNotServed: one('codis_cluster_slots_served{instance="d"}', "512x90"),
  CodisUnreadableRecord: one(
    'codis_cluster_unreadable_record{instance="d",path="/zk/codis/db_p/slots/slot_9",reason="r"}',
    "1x90",
  ),
  CodisDeadFence: one('codis_cluster_dead_fences{instance="d"}', "1x90"),
  CodisChangeHangs: one('codis_cluster_change_seconds{instance="d"}', "0+60x90"),
  CodisFailover: one('codis_cluster_failovers_total{instance="d",result="done"}', "0+1x90"),
  // Two are online, and both are drained.
  CodisNoProxyOnline: [
    { series: 'codis_cluster_proxies{instance="d",state="online"}', values: "2x90" },
    ...one('codis_cluster_proxy_drain{instance="d",proxy="p",state="drained"}', "1x90"),
    ...one('codis_cluster_proxy_drain{instance="d",proxy="q",state="drained"}', "1x90"),
  ],
  CodisProxyDrained: one(
    'codis_cluster_proxy_drain{instance="d",proxy="p",state="drained"}',
    "1x90",
  ),
  CodisProxyUnreachable: one('codis_cluster_proxy_up{instance="d",proxy="proxy_1"}', "0x90"),
  CodisMasterDown: one(
    'codis_cluster_server_up{instance="d",group="1",server="s",type="master"}',
    "0x90",
  ),
  CodisReplicaDown: one(
    'codis_cluster_server_up{instance="d",group="1",server="s",type="slave"}',
    "0x90",
  ),
  CodisServerDiffers: one(
    'codis_cluster_server_problem{instance="d",group="1",server="s"}',
    "1x90",
  ),
  CodisServerMemoryNearLimit: [
    {
      series: 'codis_cluster_server_memory_bytes{instance="d",group="1",server="s"}',
      values: "95x90",
    },
    {
      series: 'codis_cluster_server_memory_max_bytes{instance="d",group="1",server="s"}',
      values: "100x90",
    },
  ],
  CodisReplicaLags: one(
    'codis_cluster_replica_lag_bytes{instance="d",group="1",server="s"}',
    "100000000x90",
  ),
  CodisMigrationStuck: one('codis_cluster_migrations{instance="d",phase="stuck"}', "1x90"),
  CodisMigrationsPaused: [
    { series: 'codis_cluster_migrations_paused{instance="d"}', values: "1x90" },
    { series: 'codis_cluster_migrations{instance="d",phase="paused"}', values: "4x90" },
  ],
  CodisMigrationStandsStill: [
    { series: 'codis_cluster_migrations{instance="d",phase="moving"}', values: "4x90" },
    { series: 'codis_cluster_migrated_keys_total{instance="d"}', values: "100x90" },
    { series: 'codis_cluster_migrated_slots_total{instance="d"}', values: "1x90" },
  ],
  CodisConfigNotReloaded: one('codis_config_last_reload_successful{instance="p"}', "0x90"),
  CodisDescriptorsNearLimit: [
    { series: 'codis_free_descriptors{instance="p"}', values: "15x90" },
  ],
};

/** The same series while all is well. */
export const HEALTHY: readonly Series[] = [
  ...one('codis_proxy_online{instance="p"}', "1x90"),
  ...one('codis_config_last_reload_successful{instance="p"}', "1x90"),
  ...one('codis_proxy_table_stale_seconds{instance="p"}', "0x90"),
  ...one('codis_proxy_slots{instance="p",state="offline"}', "0x90"),
  ...one('codis_proxy_slots{instance="p",state="blocked"}', "0x90"),
  ...one('codis_proxy_event_loop_lag_seconds_sum{instance="p",worker="0"}', "0+0.6x90"),
  ...one('codis_proxy_event_loop_lag_seconds_count{instance="p",worker="0"}', "0+600x90"),
  ...one('codis_proxy_sessions{instance="p",worker="0"}', "500x90"),
  ...one('codis_proxy_clients_max{instance="p"}', "1000x90"),
  ...one('codis_proxy_rejected_connections_total{instance="p"}', "7x90"),
  ...one('codis_proxy_closed_sessions_total{instance="p",reason="overflow"}', "7x90"),
  ...one('codis_proxy_closed_sessions_total{instance="p",reason="timeout"}', "0+9x90"),
  ...one('codis_proxy_throttled_auths_total{instance="p"}', "7x90"),
  ...one('codis_proxy_command_failures_total{instance="p",command="get"}', "7x90"),
  ...one('codis_proxy_backend_up{instance="p",worker="0",server="s"}', "1x90"),
  ...one('codis_proxy_backend_oldest_request_seconds{instance="p",server="s"}', "0.01x90"),
  ...one('codis_proxy_backend_circuit_open{instance="p",worker="0",server="s"}', "0x90"),
  ...one('codis_proxy_private_connection_refusals_total{instance="p",server="s"}', "7x90"),
  ...one('codis_proxy_replica_serving{instance="p",server="s",group="1"}', "1x90"),
  // One that leads, one that stands by.
  ...one('codis_dashboard_leading{instance="d"}', "1x90"),
  ...one('codis_dashboard_leading{instance="e"}', "0x90"),
  ...one('codis_dashboard_coordinator_state{instance="d",state="connected"}', "1x90"),
  ...one('codis_cluster_slots_served{instance="d"}', "1024x90"),
  ...one('codis_cluster_dead_fences{instance="d"}', "0x90"),
  ...one('codis_cluster_change_seconds{instance="d"}', "0 20 0 0 40 0x85"),
  ...one('codis_cluster_failovers_total{instance="d",result="done"}', "3x90"),
  ...one('codis_cluster_proxies{instance="d",state="online"}', "2x90"),
  // One of them lets its clients go, as before an upgrade.
  ...one('codis_cluster_proxy_drain{instance="d",proxy="proxy_1",state="draining"}', "1x90"),
  ...one('codis_cluster_proxy_drain{instance="d",proxy="proxy_1",state="drained"}', "0x90"),
  ...one('codis_cluster_proxy_up{instance="d",proxy="proxy_1"}', "1x90"),
  ...one('codis_cluster_server_up{instance="d",group="1",server="s",type="master"}', "1x90"),
  ...one('codis_cluster_server_up{instance="d",group="1",server="t",type="offline"}', "0x90"),
  ...one('codis_cluster_server_problem{instance="d",group="1",server="s"}', "0x90"),
  ...one('codis_cluster_server_memory_bytes{instance="d",group="1",server="s"}', "95x90"),
  ...one('codis_cluster_server_memory_max_bytes{instance="d",group="1",server="s"}', "0x90"),
  ...one('codis_cluster_replica_lag_bytes{instance="d",group="1",server="s"}', "14x90"),
  ...one('codis_cluster_migrations{instance="d",phase="moving"}', "4x90"),
  ...one('codis_cluster_migrations{instance="d",phase="stuck"}', "0x90"),
  ...one('codis_cluster_migrations_paused{instance="d"}', "0x90"),
  ...one('codis_cluster_migrated_keys_total{instance="d"}', "0+500x90"),
  ...one('codis_cluster_migrated_slots_total{instance="d"}', "0+1x90"),
  ...one('codis_free_descriptors{instance="p"}', "16x90"),
];
