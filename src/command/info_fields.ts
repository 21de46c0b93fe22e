/**
 * INFO's fields: how the values of several servers become one. Sections and fields are in the order of
 * redis-server 7.0.15.
 *
 * @module
 */

/**
 * How a field's value is made.
 *
 * - `own`: the proxy's own, of all its workers.
 * - `sum`, `max`, `min`: of the masters' numbers; `limit` as `sum`, and 0 (no limit) when one is 0.
 * - `hosts`: the sum over machines, one master of each.
 * - `first`: the first master's.
 * - `worst`: the first value that is not the good one (`ok`, `noeviction`).
 * - `human`: the field of the same name without `_human`, for people.
 * - `ratio`: one of the fields here through another one.
 */
export type InfoRule =
  | "own"
  | "sum"
  | "max"
  | "min"
  | "limit"
  | "hosts"
  | "first"
  | "worst"
  | "human"
  | "ratio";

/** A field of INFO and its rule. */
export interface InfoField {
  readonly name: string;
  readonly rule: InfoRule;
}

/** The words of a section in the table: a rule, a colon, then its fields up to the next rule. */
const FIELDS: Readonly<Record<string, string>> = {
  server: `
    own: redis_version first: redis_git_sha1 redis_git_dirty redis_build_id
    own: redis_mode codis_proxy_version os arch_bits
    first: monotonic_clock multiplexing_api atomicvar_api gcc_version
    own: process_id process_supervised run_id tcp_port server_time_usec uptime_in_seconds
    uptime_in_days first: hz configured_hz lru_clock
    own: executable config_file max: io_threads_active`,
  clients: `
    own: connected_clients sum: cluster_connections own: maxclients
    max: client_recent_max_input_buffer client_recent_max_output_buffer
    own: blocked_clients tracking_clients sum: clients_in_timeout_table`,
  memory: `
    sum: used_memory human: used_memory_human sum: used_memory_rss human: used_memory_rss_human
    sum: used_memory_peak human: used_memory_peak_human ratio: used_memory_peak_perc
    sum: used_memory_overhead used_memory_startup used_memory_dataset
    ratio: used_memory_dataset_perc
    sum: allocator_allocated allocator_active allocator_resident
    hosts: total_system_memory human: total_system_memory_human
    sum: used_memory_lua used_memory_vm_eval human: used_memory_lua_human
    sum: used_memory_scripts_eval
    max: number_of_cached_scripts number_of_functions number_of_libraries
    sum: used_memory_vm_functions used_memory_vm_total human: used_memory_vm_total_human
    sum: used_memory_functions used_memory_scripts human: used_memory_scripts_human
    limit: maxmemory human: maxmemory_human worst: maxmemory_policy
    ratio: allocator_frag_ratio sum: allocator_frag_bytes
    ratio: allocator_rss_ratio sum: allocator_rss_bytes
    ratio: rss_overhead_ratio sum: rss_overhead_bytes
    ratio: mem_fragmentation_ratio sum: mem_fragmentation_bytes
    mem_not_counted_for_evict mem_replication_backlog mem_total_replication_buffers
    mem_clients_slaves mem_clients_normal mem_cluster_links mem_aof_buffer
    first: mem_allocator max: active_defrag_running
    sum: lazyfree_pending_objects lazyfreed_objects`,
  persistence: `
    own: loading max: async_loading sum: current_cow_peak current_cow_size
    max: current_cow_size_age current_fork_perc
    sum: current_save_keys_processed current_save_keys_total rdb_changes_since_last_save
    max: rdb_bgsave_in_progress min: rdb_last_save_time worst: rdb_last_bgsave_status
    max: rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec
    sum: rdb_saves rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded
    min: aof_enabled max: aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec
    aof_current_rewrite_time_sec worst: aof_last_bgrewrite_status sum: aof_rewrites
    max: aof_rewrites_consecutive_failures worst: aof_last_write_status sum: aof_last_cow_size
    max: module_fork_in_progress sum: module_fork_last_cow_size aof_current_size aof_base_size
    max: aof_pending_rewrite
    sum: aof_buffer_length aof_pending_bio_fsync aof_delayed_fsync`,
  stats: `
    own: total_connections_received total_commands_processed sum: instantaneous_ops_per_sec
    own: total_net_input_bytes total_net_output_bytes
    sum: total_net_repl_input_bytes total_net_repl_output_bytes instantaneous_input_kbps
    instantaneous_output_kbps instantaneous_input_repl_kbps instantaneous_output_repl_kbps
    own: rejected_connections sum: sync_full sync_partial_ok sync_partial_err expired_keys
    max: expired_stale_perc sum: expired_time_cap_reached_count expire_cycle_cpu_milliseconds
    evicted_keys own: evicted_clients sum: total_eviction_exceeded_time
    max: current_eviction_exceeded_time sum: keyspace_hits keyspace_misses max: pubsub_channels
    max: pubsub_patterns pubsubshard_channels latest_fork_usec
    sum: total_forks migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits
    active_defrag_misses active_defrag_key_hits active_defrag_key_misses total_active_defrag_time
    max: current_active_defrag_time sum: tracking_total_keys tracking_total_items
    max: tracking_total_prefixes sum: unexpected_error_replies own: total_error_replies
    total_failed_requests acl_access_denied_auth acl_access_denied_cmd acl_access_denied_key
    acl_access_denied_channel client_output_buffer_limit_disconnections
    sum: dump_payload_sanitizations total_reads_processed total_writes_processed
    io_threaded_reads_processed io_threaded_writes_processed reply_buffer_shrinks
    reply_buffer_expands`,
  replication: `
    own: role connected_slaves master_failover_state first: master_replid master_replid2
    sum: master_repl_offset first: second_repl_offset max: repl_backlog_active
    sum: repl_backlog_size max: repl_backlog_first_byte_offset sum: repl_backlog_histlen`,
  cpu: `
    sum: used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children
    used_cpu_sys_main_thread used_cpu_user_main_thread`,
  cluster: "own: cluster_enabled",
};

/** The fields by section, in order. */
export const INFO_FIELDS: ReadonlyMap<string, readonly InfoField[]> = new Map(
  Object.entries(FIELDS).map(([section, text]) => [section, fieldsOf(text)]),
);

function fieldsOf(text: string): InfoField[] {
  const fields: InfoField[] = [];
  let rule: InfoRule = "own";
  for (const word of text.trim().split(/\s+/)) {
    if (word.endsWith(":")) rule = word.slice(0, -1) as InfoRule;
    else fields.push({ name: word, rule });
  }
  return fields;
}

/** The `ratio` fields: what is divided by what, how it is printed. */
export const INFO_RATIOS: Readonly<
  Record<string, { readonly of: string; readonly by: string; readonly less?: string }>
> = {
  used_memory_peak_perc: { of: "used_memory", by: "used_memory_peak" },
  used_memory_dataset_perc: {
    of: "used_memory_dataset",
    by: "used_memory",
    less: "used_memory_startup",
  },
  allocator_frag_ratio: { of: "allocator_active", by: "allocator_allocated" },
  allocator_rss_ratio: { of: "allocator_resident", by: "allocator_active" },
  rss_overhead_ratio: { of: "used_memory_rss", by: "allocator_resident" },
  mem_fragmentation_ratio: { of: "used_memory_rss", by: "used_memory" },
};

const RULE_TEXTS: Readonly<Record<InfoRule, string>> = {
  own: "the proxy's own",
  sum: "sum",
  max: "largest",
  min: "smallest",
  limit: "sum; 0 when one has no limit",
  hosts: "sum over machines",
  first: "first master's",
  worst: "worst",
  human: "made from the number",
  ratio: "made from the sums",
};

/** The table of fields, in Markdown. */
export function formatInfoTable(): string {
  const rows = [...INFO_FIELDS].flatMap(([section, fields]) => {
    const rules = [...new Set(fields.map(({ rule }) => rule))];
    return rules.map((rule) => {
      const names = fields.filter((field) => field.rule === rule).map(({ name }) => name);
      return `| ${section} | ${RULE_TEXTS[rule]} | ${names.join(", ")} |`;
    });
  });
  return ["| section | value | fields |", "|---|---|---|", ...rows].join("\n");
}
