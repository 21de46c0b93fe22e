/**
 * What in the cluster needs attention, the worst first.
 *
 * @module
 */

import { counted, countedSlots, duration } from "./format.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */

/** Share of the private connections to a server from which there is a warning. */
const PRIVATE_WARNING = 0.9;

/** Most records that cannot be read of which each is named. */
const RECORDS_NAMED = 5;

/**
 * @typedef {object} Concern
 * @property {"bad" | "warning"} tone
 * @property {string} text
 * @property {string} place The name of the view that shows more: `groups`.
 */

/**
 * Everything that is wrong or unusual.
 *
 * @param {ClusterView} view
 * @returns {readonly Concern[]}
 */
export function concernsOf(view) {
  const concerns = [
    ...recordConcerns(view),
    ...fenceConcerns(view),
    ...slotConcerns(view),
    ...serverConcerns(view),
    ...sentinelConcerns(view),
    ...proxyConcerns(view),
    ...migrationConcerns(view),
    ...coordinatorConcerns(view),
  ];
  return concerns.sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad"));
}

/**
 * Records of the store that cannot be read.
 *
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
export function recordConcerns({ unreadable_records }) {
  // An older dashboard does not send them.
  const records = unreadable_records ?? [];
  /** @type {Concern[]} */
  const concerns = records.slice(0, RECORDS_NAMED).map(({ path, reason }) => ({
    tone: "bad",
    text: `${path} in the coordinator cannot be read: ${reason}`,
    place: "overview",
  }));
  const more = records.length - concerns.length;
  if (more > 0) {
    const text = `${counted(more, "more record")} in the coordinator cannot be read: ` +
      "GET /api/cluster names them";
    concerns.push({ tone: "bad", text, place: "overview" });
  }
  return concerns;
}

/**
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
function fenceConcerns({ dead_fences }) {
  if (dead_fences.length === 0) return [];
  const text = `${counted(dead_fences.length, "proxy", "proxies")} did not stop cleanly ` +
    `(${dead_fences.join(", ")}): the cluster cannot be changed`;
  return [{ tone: "bad", text, place: "overview" }];
}

/**
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
function slotConcerns({ slots }) {
  const missing = slots.status.split("-").length - 1;
  const offline = slots.status.split("x").length - 1;
  /** @type {Concern[]} */
  const concerns = [];
  if (missing === slots.status.length) {
    return [{ tone: "bad", text: "The slots are not initialized yet", place: "slots" }];
  }
  if (missing > 0) {
    const text = `${counted(missing, "slot is", "slots are")} not stored`;
    concerns.push({ tone: "bad", text, place: "slots" });
  }
  if (offline > 0) {
    const text = `${counted(offline, "slot is", "slots are")} offline: their keys are not served`;
    concerns.push({ tone: "bad", text, place: "slots" });
  }
  return concerns;
}

/**
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
function serverConcerns({ groups }) {
  /** @type {Concern[]} */
  const concerns = [];
  if (groups.length === 0) {
    concerns.push({ tone: "bad", text: "There is no group of servers yet", place: "groups" });
  }
  for (const group of groups) {
    if (group.slots > 0 && !group.servers.some(({ type }) => type === "master")) {
      const text = `Group ${group.id} owns ${counted(group.slots, "slot")} and has no master`;
      concerns.push({ tone: "bad", text, place: "groups" });
    }
    for (const server of group.servers) {
      const { addr, type, is_reachable, down_seconds, problem } = server;
      const { in_use, max } = server.private_connections ?? { in_use: 0, max: 0 };
      if (max > 0 && in_use >= PRIVATE_WARNING * max) {
        const text =
          `${in_use} of ${max} private connections to ${addr} are in use: then clients ` +
          "that block, watch or subscribe get errors (private_connections_max)";
        concerns.push({ tone: "warning", text, place: "groups" });
      }
      const { refused } = server;
      if (refused !== null && refused !== undefined) {
        const who = refused.proxies === 1 ? "A proxy refuses" : `${refused.proxies} proxies refuse`;
        const text = `${who} requests for ${addr}, which does not answer in time: ${refused.cause}`;
        concerns.push({ tone: "bad", text, place: "groups" });
      }
      if (!is_reachable) {
        const isMaster = type === "master";
        const owns = isMaster && group.slots > 0
          ? `, which owns ${counted(group.slots, "slot")},`
          : "";
        const text = `${serverName(type)} ${addr} of group ${group.id}${owns} has not been ` +
          `reachable for ${duration(down_seconds)}${problem === "" ? "" : `: ${problem}`}`;
        concerns.push({ tone: isMaster ? "bad" : "warning", text, place: "groups" });
      } else if (problem !== "") {
        const text = `${serverName(type)} ${addr} of group ${group.id}: ${problem}`;
        // A master that follows another server refuses every write.
        const isRefusing = type === "master" && server.role === "slave" && group.slots > 0;
        concerns.push({ tone: isRefusing ? "bad" : "warning", text, place: "groups" });
      }
    }
  }
  return concerns;
}

/**
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
function sentinelConcerns({ sentinels }) {
  // An older dashboard does not send them.
  if (!sentinels) return [];
  const { servers, groups, out_of_sync, problem, quorum } = sentinels;
  /** @type {Concern[]} */
  const concerns = servers.filter(({ is_reachable }) => !is_reachable).map((sentinel) => ({
    tone: "warning",
    text: `Sentinel ${sentinel.addr} has not been reachable for ${
      duration(sentinel.down_seconds)
    }: ${sentinel.problem}`,
    place: "groups",
  }));
  const up = servers.length - concerns.length;
  if (up <= servers.length / 2) {
    const text =
      `${up} of ${counted(servers.length, "sentinel")} answer: a master that goes down is ` +
      "not replaced";
    concerns.push({ tone: "bad", text, place: "groups" });
  } else if (quorum > servers.length) {
    const text = `sentinel_quorum is ${quorum}, and there are only ${
      counted(servers.length, "sentinel")
    }: no master is replaced`;
    concerns.push({ tone: "bad", text, place: "groups" });
  } else if (out_of_sync && problem !== "") {
    const text = `Sentinels do not watch what the slot table says: ${problem}`;
    concerns.push({ tone: "warning", text, place: "groups" });
  }
  for (const { group_id, problem: why } of groups) {
    if (why === "") continue;
    concerns.push({ tone: "bad", text: `Sentinel and group ${group_id}: ${why}`, place: "groups" });
  }
  return concerns;
}

/** @param {string} type */
function serverName(type) {
  return type === "master" ? "Master" : type === "slave" ? "Replica" : "Server";
}

/**
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
function proxyConcerns({ proxies }) {
  /** @type {Concern[]} */
  const concerns = [];
  if (!proxies.some(({ state }) => state === "online")) {
    concerns.push({ tone: "bad", text: "No proxy is online", place: "proxies" });
  } else if (proxies.every(({ state, drain }) => state !== "online" || drain === "drained")) {
    const text = "No proxy accepts clients: those that are online are drained";
    concerns.push({ tone: "bad", text, place: "proxies" });
  }
  for (const { id, state, is_reachable, problem, drain, slots_offline } of proxies) {
    if (!is_reachable) {
      const text = `Proxy ${id} is not reachable${problem === "" ? "" : `: ${problem}`}`;
      concerns.push({ tone: state === "online" ? "bad" : "warning", text, place: "proxies" });
    } else if (problem !== "") {
      const tone = (slots_offline ?? 0) > 0 ? "bad" : "warning";
      concerns.push({ tone, text: `Proxy ${id}: ${problem}`, place: "proxies" });
    } else if (drain === "draining") {
      const text = `Proxy ${id} is draining: it lets its clients go`;
      concerns.push({ tone: "warning", text, place: "proxies" });
    } else if (drain === "drained") {
      const text = `Proxy ${id} is drained: it accepts no clients; stop it, or restart it`;
      concerns.push({ tone: "warning", text, place: "proxies" });
    } else if (state === "offline") {
      const text = `Proxy ${id} is offline: set it online`;
      concerns.push({ tone: "warning", text, place: "proxies" });
    }
  }
  return concerns;
}

/**
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
function migrationConcerns({ migrations, migrations_paused_since, at }) {
  if (migrations_paused_since !== null && migrations.length > 0) {
    const since = migrations_paused_since;
    const text = `Migrations are paused${
      since === 0 ? "" : ` for ${duration((at - since) / 1000)}`
    }: ${counted(migrations.length, "slot waits", "slots wait")}`;
    return [{ tone: "warning", text, place: "migrations" }];
  }
  // A problem of one slot is mostly a problem of all slots with the same source and target.
  const stuck = Map.groupBy(
    migrations.filter(({ problem }) => problem !== ""),
    ({ problem }) => problem,
  );
  return [...stuck].map(([problem, tasks]) => {
    const slots = tasks.map(({ slot_id }) => slot_id);
    const what = slots.length === 1
      ? `The migration of slot ${slots[0]} is`
      : `The migrations of ${countedSlots(slots)} are`;
    return { tone: "warning", text: `${what} stuck: ${problem}`, place: "migrations" };
  });
}

/**
 * @param {ClusterView} view
 * @returns {Concern[]}
 */
function coordinatorConcerns({ coordinator }) {
  const { kind, state, problem = "" } = coordinator;
  if (state === "connected" && problem === "") return [];
  const text = state === "connected"
    ? `The coordinator (${kind}) could not store the last change: ${problem}`
    : `The coordinator (${kind}) is ${state}`;
  return [{ tone: "bad", text, place: "overview" }];
}
