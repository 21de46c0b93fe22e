/**
 * What can be done with groups and their Redis servers.
 *
 * @module
 */

import { bytes, counted } from "./format.js";
import { DELAY_FIELD, planWords } from "./move_plan.js";

/** @import { ClusterView, GroupView } from "../../api/cluster_view.ts" */
/** @import { Action } from "./actions.js" */

/** Highest group number, as the dashboard takes it. */
const GROUP_MAX = 999_999_999;
/** What `host:port` looks like; the dashboard knows the rule. */
const ADDRESS = /^\S+:\d{1,5}$/;

/** @type {Readonly<Record<string, Action>>} */
export const GROUP_ACTIONS = {
  add_group: {
    title: () => "Add a group",
    verb: "Add group",
    fields: [{ name: "id", label: "Number", kind: "number", least: 0, most: GROUP_MAX }],
    start: ({ groups }) => ({ id: String(Math.max(0, ...groups.map(({ id }) => id)) + 1) }),
    words: ({ id }) => [
      `Group ${id} is made, without servers and without slots. Nothing changes for clients.`,
    ],
    request: ({ id }) => ({ method: "PUT", path: "api/server_groups", body: { id: Number(id) } }),
    done: ({ id }) => `Group ${id} was added.`,
  },
  remove_group: {
    title: ({ group }) => `Remove group ${group}`,
    verb: "Remove group",
    isRisky: true,
    words: ({ group }, view) => [
      `Group ${group} and its ${
        counted(serversOf(view, group).length, "server")
      } are taken out of ` +
      "the cluster. The Redis servers themselves go on running and keep their data.",
      "It is refused while a slot belongs to the group or is migrating from it.",
    ],
    request: ({ group }) => ({
      method: "DELETE",
      path: `api/server_group/${Number(group)}`,
    }),
    done: ({ group }) => `Group ${group} was removed.`,
  },
  drain_group: {
    title: ({ group }) => `Drain group ${group}`,
    verb: "Drain",
    fields: [DELAY_FIELD],
    start: () => ({ delay: "0" }),
    words: ({ group }) => [
      `All slots of group ${group} move with their keys to the other groups, while clients go on ` +
      "working. Then it can be removed.",
    ],
    preview: {
      request: ({ group }) => ({
        method: "POST",
        path: `api/server_group/${Number(group)}/drain`,
        body: { dry_run: true },
      }),
      words: planWords,
      isNothing: (plan) => plan.slots === 0,
    },
    request: ({ group, delay }) => ({
      method: "POST",
      path: `api/server_group/${Number(group)}/drain`,
      body: { delay: Number(delay) },
    }),
    done: ({ group }) => `The slots of group ${group} will move to others.`,
  },
  add_server: {
    title: ({ group }) => `Add a server to group ${group}`,
    verb: "Add server",
    fields: [
      { name: "addr", label: "Address", kind: "text", hint: "host:port, as proxies reach it" },
      {
        name: "role",
        label: "Role",
        kind: "choice",
        choices: () => [["slave", "replica"], ["master", "master"]],
      },
    ],
    start: () => ({ addr: "", role: "slave" }),
    problem: ({ addr }) =>
      ADDRESS.test(String(addr).trim()) ? "" : `"${addr}" is no address: write host:port`,
    words: ({ group, addr, role }, view) => {
      const server = String(addr).trim() || "The server";
      const master = masterOf(view, group);
      if (master === undefined) {
        return [
          `${server} becomes the master of group ${group}, which has none: requests for the ` +
          "group's slots go to it from then on. Its data stay as they are.",
        ];
      }
      return role === "master"
        ? [`${server} would be a second master beside ${master}: this is refused. Promote instead.`]
        : [
          `${server} becomes a replica of ${master}. Everything it holds now is deleted and replaced ` +
          "with a copy of the master's data.",
        ];
    },
    request: ({ group, addr, role }) => ({
      method: "PUT",
      path: `api/server_group/${Number(group)}/addServer`,
      body: { type: String(role), group_id: Number(group), addr: String(addr).trim() },
    }),
    done: ({ group, addr }) => `${String(addr).trim()} was added to group ${group}.`,
  },
  remove_server: {
    title: ({ addr }) => `Remove ${addr}`,
    verb: "Remove server",
    isRisky: true,
    words: ({ group, addr }) => [
      `${addr} is taken out of group ${group}. The Redis server itself goes on running, keeps its ` +
      "data, and goes on replicating until somebody tells it otherwise.",
    ],
    request: ({ group, addr }) => ({
      method: "PUT",
      path: `api/server_group/${Number(group)}/removeServer`,
      body: { addr: String(addr) },
    }),
    done: ({ group, addr }) => `${addr} was removed from group ${group}.`,
  },
  promote: {
    title: ({ group, addr }) => `Make ${addr} the master of group ${group}`,
    verb: "Promote",
    isRisky: true,
    fields: [
      {
        name: "force",
        label: "Promote it all the same, and accept that writes are lost",
        kind: "box",
        afterRefusal: true,
      },
    ],
    start: () => ({ force: false }),
    words: ({ group, addr }, view) => {
      const master = masterOf(view, group);
      const server = serversOf(view, group).find((other) => other.addr === addr);
      const lag = server?.replication?.lag_bytes ?? null;
      return [
        master === undefined
          ? `${addr} becomes the master of group ${group}, which has none now.`
          : `${addr} becomes the master of group ${group} instead of ${master}, which is then ` +
            "listed as offline.",
        "All proxies send the group's requests to it as soon as they have confirmed.",
        lag === null
          ? `How far ${addr} is behind is not known: writes that have not reached it are lost.`
          : `It is ${bytes(lag)} behind its master: writes that do not reach it before are lost.`,
      ];
    },
    request: ({ group, addr, force }) => ({
      method: "POST",
      path: `api/server_group/${Number(group)}/promote`,
      body: {
        addr: String(addr),
        group_id: Number(group),
        ...force === true ? { force: true } : {},
      },
    }),
    done: ({ group, addr }) => `${addr} is the master of group ${group} now.`,
  },
};

/**
 * The servers of a group, given its number as an action holds it.
 *
 * @param {ClusterView} view
 * @param {string | boolean | undefined} group
 * @returns {GroupView["servers"]}
 */
function serversOf(view, group) {
  return view.groups.find(({ id }) => id === Number(group))?.servers ?? [];
}

/**
 * @param {ClusterView} view
 * @param {string | boolean | undefined} group
 */
function masterOf(view, group) {
  return serversOf(view, group).find(({ type }) => type === "master")?.addr;
}
