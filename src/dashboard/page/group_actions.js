/**
 * What can be done with groups and their Redis servers.
 *
 * @module
 */

import { bytes, counted } from "./format.js";
import { DELAY_FIELD, planWords } from "./move_plan.js";

/** @import { ClusterView, GroupView, ServerView } from "../../api/cluster_view.ts" */
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
      {
        name: "force",
        label: "Add it all the same",
        kind: "box",
        afterRefusal: true,
      },
    ],
    start: () => ({ addr: "", role: "slave", force: false }),
    problem: ({ addr }) =>
      ADDRESS.test(String(addr).trim()) ? "" : `"${addr}" is no address: write host:port`,
    words: ({ group, addr, role, force }, view) => {
      const server = String(addr).trim() || "The server";
      const master = masterOf(view, group);
      if (master !== undefined) {
        if (role === "master") {
          return [
            `${server} would be a second master beside ${master}: this is refused. Promote instead.`,
          ];
        }
        return [
          `${server} becomes a replica of ${master}, and gets a copy of its data.`,
          force === true
            ? "Keys that it holds now are deleted."
            : "It is refused if it holds keys of its own, or is in the cluster already under another " +
              "address.",
        ];
      }
      if (role === "slave" && serversOf(view, group).length > 0) {
        return [
          `${server} is listed as a replica of group ${group}, which has no master. It is not changed, ` +
          "and follows nobody: promote one of the group's servers.",
        ];
      }
      return [
        `${server} becomes the master of group ${group}, which has none: requests for the ` +
        "group's slots go to it from then on. Its data stay as they are.",
        force === true
          ? "It is not asked whether it can be a master."
          : "It is refused if it does not answer, follows another server, or is in the cluster " +
            "already under another address.",
      ];
    },
    request: ({ group, addr, role, force }) => ({
      method: "PUT",
      path: `api/server_group/${Number(group)}/addServer`,
      body: {
        type: String(role),
        group_id: Number(group),
        addr: String(addr).trim(),
        ...force === true ? { force: true } : {},
      },
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
        label: "Promote it all the same; what it lacks is lost",
        kind: "box",
        afterRefusal: true,
      },
    ],
    start: () => ({ force: false }),
    words: ({ group, addr, force }, view) => {
      const servers = serversOf(view, group);
      const master = servers.find(({ type }) => type === "master");
      const lag = servers.find((other) => other.addr === addr)?.replication?.lag_bytes ?? null;
      const others = servers.filter((other) => other.type === "slave" && other.addr !== addr);
      return [
        ...promotionWords(String(group), String(addr), master, lag, force === true),
        ...others.length === 0 ? [] : [
          `The group's other ${
            others.length === 1 ? "replica follows" : "replicas follow"
          } it from ` +
          "then on.",
        ],
        "All proxies send the group's requests to it as soon as they have confirmed.",
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
 * What becomes of the master and of writes when a server is promoted.
 *
 * @param {string} group
 * @param {string} addr
 * @param {ServerView | undefined} master
 * @param {number | null} lag Bytes that the server is behind.
 * @param {boolean} isForced
 */
function promotionWords(group, addr, master, lag, isForced) {
  if (master === undefined) {
    return [`${addr} becomes the master of group ${group}, which has none now.`];
  }
  const instead = `${addr} becomes the master of group ${group} instead of ${master.addr}`;
  if (!master.is_reachable) {
    return [
      `${instead}, which does not answer and is then listed as offline.`,
      isForced
        ? `Writes that have not reached ${addr} are lost.`
        : `Nobody knows which writes ${addr} lacks: it is refused, unless you accept that they are lost.`,
    ];
  }
  return [
    `${instead}, which becomes its replica.`,
    isForced
      ? `Writes that have not reached ${addr} are lost.`
      : `Writes wait or are refused for a moment, until ${addr} has all changes: none that a client ` +
        "had an answer to is lost.",
    ...lag === null || lag === 0 ? [] : [`It is ${bytes(lag)} behind its master now.`],
  ];
}

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
