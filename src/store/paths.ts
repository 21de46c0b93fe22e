/**
 * Every path of a product's tree, exactly Codis 2.0's.
 *
 * @module
 */

/** Where all products of a coordinator are. */
export const PRODUCTS_ROOT = "/zk/codis";

/** The tree of one product; see {@linkcode storePaths}. */
export type StorePaths = ReturnType<typeof storePaths>;

/** The paths of `product`: entries by their noun, and functions for those with many. */
export function storePaths(product: string) {
  const root = `${PRODUCTS_ROOT}/db_${product}`;
  return {
    root,
    /** The dashboard that leads. */
    dashboard: `${root}/dashboard`,
    /** Not in Codis 2.0: written by every dashboard that takes over, so that its version differs for each. */
    dashboardEpoch: `${root}/dashboard_epoch`,
    /** Not in Codis 2.0: how the product is, for the dashboards of other products. */
    dashboardStatus: `${root}/dashboard_status`,
    /** Not in Codis 2.0: the intent of the change that is being made, for the dashboard that must finish it. */
    intent: `${root}/unfinished_change`,

    ...movePaths(root),
    slots: `${root}/slots`,
    slot: (slotId: number) => `${root}/slots/slot_${slotId}`,

    servers: `${root}/servers`,
    group: (groupId: number) => `${root}/servers/group_${groupId}`,
    server: (groupId: number, addr: string) => `${root}/servers/group_${groupId}/${addr}`,

    proxies: `${root}/proxy`,
    proxy: (proxyId: string) => `${root}/proxy/${proxyId}`,

    /** By address, not by id: a fence guards what may still serve there. */
    fences: `${root}/fence`,
    fence: (addr: string) => `${root}/fence/${addr}`,

    actions: `${root}/actions`,
    action: (name: string) => `${root}/actions/${name}`,

    responses: `${root}/ActionResponse`,
    response: (name: string) => `${root}/ActionResponse/${name}`,
    answer: (name: string, proxyId: string) => `${root}/ActionResponse/${name}/${proxyId}`,

    lock: `${root}/LOCK`,

    migrateTasks: `${root}/migrate_tasks`,
    migrateTask: (name: string) => `${root}/migrate_tasks/${name}`,
    /** Not in Codis 2.0: there while migrations are paused. */
    migratePause: `${root}/migrate_pause`,
    /** Not in Codis 2.0: commands that only the servers know, and how they are sent. */
    allowedCommands: `${root}/allowed_commands`,
    /** Not in Codis 2.0: the zones that servers are in. */
    serverZones: `${root}/server_zones`,
    /** Not in Codis 2.0: the sentinels that watch the masters, named and spelled as in Codis 3.2. */
    sentinels: `${root}/sentinel`,
    /** Not in Codis 2.0: which keys belong together. */
    slotRules: `${root}/slot_rules`,
    /** Not in Codis 2.0: the users that Redis clients log in as. */
    redisUsers: `${root}/redis_users`,
    /** Not in Codis 2.0: who may log in at the dashboard. */
    dashboardUsers: `${root}/dashboard_users`,
    /** Not in Codis 2.0: the tokens of programs that use the dashboard. */
    apiTokens: `${root}/api_tokens`,
    /** Not in Codis 2.0: who did what through the dashboard, in pages. */
    audit: `${root}/audit`,
    auditPage: (name: string) => `${root}/audit/${name}`,
    /** Not in Codis 2.0: outage events, in pages. */
    outages: `${root}/outages`,
    outagePage: (name: string) => `${root}/outages/${name}`,
    /** Not in Codis 2.0: masters that refuse writes because of a promotion, and what they had been set to. */
    writeHolds: `${root}/write_holds`,
    writeHold: (addr: string) => `${root}/write_holds/${addr}`,
    ...failoverPaths(root),
  };
}

function failoverPaths(root: string) {
  return {
    /** Not in Codis 2.0: there while masters are replaced by failovers; see `store/failover_rule.ts`. */
    failoverRule: `${root}/failover_rule`,
    /** Not in Codis 2.0: masters that were replaced by a failover and have not rejoined their group. */
    failedMasters: `${root}/failed_masters`,
    failedMaster: (addr: string) => `${root}/failed_masters/${addr}`,
  };
}

/** Paths of a product that goes from one store to another; see `moves.ts`. */
function movePaths(root: string) {
  return {
    /** Not in Codis 2.0: there when the product has gone to another store, or comes from one. */
    move: `${root}/move`,
    /** Not in Codis 2.0: how far actions were numbered before the product came to this store. */
    actionsBefore: `${root}/actions_before`,
  };
}

/** The number in `slot_12` or `group_12`; `undefined` when the name is not `<prefix><number>`. */
export function numberedName(name: string, prefix: string): number | undefined {
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^\d{1,9}$/.test(digits) ? Number(digits) : undefined;
}
