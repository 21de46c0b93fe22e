/**
 * The actions for groups and their Redis servers.
 *
 * @module
 */

import { bytes, counted } from "./format.js";
import { DELAY_FIELD, planWords } from "./move_plan.js";

/** @import { ClusterView, GroupView, ServerView } from "../../api/cluster_view.ts" */
/** @import { Action, Field } from "./actions.js" */

/** Highest group number that the dashboard accepts. */
const GROUP_MAX = 999_999_999;
/** The shape of `host:port`; the dashboard has the exact rule. */
const ADDRESS = /^\S+:\d{1,5}$/;
/** A zone; the same rule as the dashboard's. */
const ZONE = /^[\w.:-]{0,64}$/;

/** @type {Field} */
const ZONE_FIELD = {
  name: "zone",
  label: "Zone",
  kind: "text",
  isOptional: true,
  hint: "such as eu-west-1a, for reads from the nearest server; empty: none",
};

/** @param {unknown} zone */
function zoneProblem(zone) {
  const text = String(zone ?? "").trim();
  return ZONE.test(text) ? "" : `"${text}" is not a zone: at most 64 letters, digits and . _ : -`;
}

/**
 * Somebody else may have removed a group since it was chosen.
 *
 * @param {string | boolean | undefined} group
 * @param {ClusterView} view
 */
export function goneProblem(group, { groups }) {
  return groups.some(({ id }) => id === Number(group)) ? "" : `there is no group ${group} any more`;
}

/** @type {Readonly<Record<string, Action>>} */
export const GROUP_ACTIONS = {
  add_group: {
    title: () => "Add a group",
    verb: "Add group",
    fields: [{ name: "id", label: "Number", kind: "number", least: 0, most: GROUP_MAX }],
    start: ({ groups }) => ({ id: String(Math.max(0, ...groups.map(({ id }) => id)) + 1) }),
    words: ({ id }) => [
      `Group ${id} is created without servers and slots. Nothing changes for clients.`,
    ],
    request: ({ id }) => ({ method: "PUT", path: "api/server_groups", body: { id: Number(id) } }),
    done: ({ id }) => `Group ${id} was added.`,
  },
  remove_group: {
    title: ({ group }) => `Remove group ${group}`,
    verb: "Remove group",
    isRisky: true,
    problem: ({ group }, view) => goneProblem(group, view),
    words: ({ group }, view) => [
      `Group ${group} and its ${counted(serversOf(view, group).length, "server")} are removed ` +
      "from the cluster. The Redis servers keep running and keep their data.",
      "This is refused while the group owns a slot, or a slot migrates from it.",
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
    problem: ({ group }, view) => goneProblem(group, view),
    words: ({ group }) => [
      `All slots of group ${group} and their keys move to the other groups. Clients keep working. ` +
      "Then the group can be removed.",
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
    done: ({ group }) => `The slots of group ${group} will move to other groups.`,
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
      ZONE_FIELD,
      {
        name: "force",
        label: "Add it anyway",
        kind: "box",
        afterRefusal: true,
      },
    ],
    start: () => ({ addr: "", role: "slave", zone: "", force: false }),
    problem: ({ group, addr, zone }, view) =>
      goneProblem(group, view) ||
      (ADDRESS.test(String(addr).trim())
        ? zoneProblem(zone)
        : `"${addr}" is not an address: use host:port`),
    words: ({ group, addr, role, force }, view) => {
      const server = String(addr).trim() || "The server";
      const master = masterOf(view, group);
      if (master !== undefined) {
        if (role === "master") {
          return [
            `This is refused: ${master} is the master already. Add ${server} as a replica and promote it.`,
          ];
        }
        return [
          `${server} becomes a replica of ${master} and gets a copy of its data.`,
          force === true
            ? "The keys that it holds now are deleted."
            : "This is refused if it holds keys, or is in the cluster under another address.",
        ];
      }
      if (role === "slave" && serversOf(view, group).length > 0) {
        return [
          `${server} is listed as a replica of group ${group}, which has no master. The server itself ` +
          "is not changed and replicates nothing. Promote one of the group's servers.",
        ];
      }
      return [
        `${server} becomes the master of group ${group}, which has none. Requests for the group's ` +
        "slots then go to it. Its data stay unchanged.",
        force === true
          ? "The server is not checked."
          : "This is refused if it does not answer, replicates another server, or is in the cluster " +
            "under another address.",
      ];
    },
    request: ({ group, addr, role, zone, force }) => ({
      method: "PUT",
      path: `api/server_group/${Number(group)}/addServer`,
      body: {
        type: String(role),
        group_id: Number(group),
        addr: String(addr).trim(),
        // Else one that was removed is made again, with this server as its master.
        must_exist: true,
        ...String(zone).trim() === "" ? {} : { zone: String(zone).trim() },
        ...force === true ? { force: true } : {},
      },
    }),
    done: ({ group, addr }) => `${String(addr).trim()} was added to group ${group}.`,
  },
  set_zone: {
    title: ({ group }) => `Zones of group ${group}`,
    verb: "Set zone",
    fields: [
      {
        name: "addr",
        label: "Server",
        kind: "choice",
        choices: (view, { group }) =>
          serversOf(view, group).map(({ addr, zone }) => [
            addr,
            (zone ?? "") === "" ? addr : `${addr} in zone ${zone}`,
          ]),
      },
      ZONE_FIELD,
    ],
    start: () => ({ zone: "" }),
    problem: ({ group, zone }, view) => goneProblem(group, view) || zoneProblem(zone),
    words: ({ addr, zone }) =>
      String(zone).trim() === "" ? [`${addr} is in no zone then.`] : [
        `Proxies with read_from = nearest prefer ${addr} when it is in their zone, and none of its group ` +
        "is on their own machine. All others notice nothing.",
      ],
    request: ({ group, addr, zone }) => ({
      method: "PUT",
      path: `api/server_group/${Number(group)}/zone`,
      body: { addr: String(addr), zone: String(zone).trim() },
    }),
    done: ({ addr, zone }) =>
      String(zone).trim() === ""
        ? `${addr} is in no zone now.`
        : `${addr} is in zone ${String(zone).trim()} now.`,
  },
  remove_server: {
    title: ({ addr }) => `Remove ${addr}`,
    verb: "Remove server",
    isRisky: true,
    problem: ({ group }, view) => goneProblem(group, view),
    words: ({ group, addr }) => [
      `${addr} is removed from group ${group}. The Redis server keeps running, keeps its data and ` +
      "keeps replicating its master.",
    ],
    request: ({ group, addr }) => ({
      method: "PUT",
      path: `api/server_group/${Number(group)}/removeServer`,
      body: { addr: String(addr) },
    }),
    done: ({ group, addr }) => `${addr} was removed from group ${group}.`,
  },
  switch_master: {
    title: ({ group }) => `Switch the master of group ${group}`,
    verb: "Switch",
    isRisky: true,
    problem: ({ group }, view) => goneProblem(group, view),
    words: ({ group }, view) => {
      const master = serversOf(view, group).find(({ type }) => type === "master");
      return [
        `The replica of group ${group} that has most of the changes of ` +
        `${master?.addr ?? "its master"} becomes master, and ${
          master?.addr ?? "that"
        } its replica.`,
        "Until it has all changes, writes wait or are refused for a moment. No write that was " +
        "answered is lost.",
      ];
    },
    request: ({ group }) => ({
      method: "POST",
      path: `api/server_group/${Number(group)}/switch`,
      body: {},
    }),
    done: ({ group }) => `Group ${group} has another master now.`,
  },
  promote: {
    title: ({ group, addr }) => `Make ${addr} the master of group ${group}`,
    verb: "Promote",
    isRisky: true,
    problem: ({ group }, view) => goneProblem(group, view),
    fields: [
      {
        name: "force",
        label: "Promote it anyway; missing writes are lost",
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
            others.length === 1 ? "replica then replicates" : "replicas then replicate"
          } it.`,
        ],
        "All proxies send the group's requests to it after they have confirmed the change.",
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
 * What a promotion changes for the master and for writes.
 *
 * @param {string} group
 * @param {string} addr
 * @param {ServerView | undefined} master
 * @param {number | null} lag Bytes that the server is behind.
 * @param {boolean} isForced
 */
function promotionWords(group, addr, master, lag, isForced) {
  if (master === undefined) {
    return [`${addr} becomes the master of group ${group}, which has none.`];
  }
  const instead = `${addr} becomes the master of group ${group} instead of ${master.addr}`;
  if (!master.is_reachable) {
    return [
      `${instead}, which does not answer and is then listed as offline.`,
      isForced
        ? `Writes that have not reached ${addr} are lost.`
        : `It is not known which writes ${addr} lacks. This is refused unless you accept that they are lost.`,
    ];
  }
  return [
    `${instead}, which becomes its replica.`,
    isForced
      ? `Writes that have not reached ${addr} are lost.`
      : `Until ${addr} has all changes, writes wait or are refused for a moment. No write that was ` +
        "answered is lost.",
    ...lag === null || lag === 0 ? [] : [`It is ${bytes(lag)} behind its master now.`],
  ];
}

/**
 * The servers of a group; its number is a value of an action.
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
