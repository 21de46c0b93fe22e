/**
 * The actions for sentinels.
 *
 * @module
 */

/** @import { Action } from "./actions.js" */

/** @type {Readonly<Record<string, Action>>} */
export const SENTINEL_ACTIONS = {
  add_sentinel: {
    title: () => "Add a sentinel",
    verb: "Add sentinel",
    fields: [{
      name: "addr",
      label: "Address",
      kind: "text",
      hint: "host:port, mostly port 26379",
    }],
    start: () => ({ addr: "" }),
    words: ({ addr }, { sentinels, dashboard }) => [
      `${String(addr).trim() || "The sentinel"} watches the master of every group.`,
      ...sentinels ? [] : [
        "From then on Sentinel decides who is master, and the slot table follows. One sentinel alone decides " +
        "too easily: add three.",
        ...dashboard.failover === "auto" ? ["The dashboard's own failover does nothing then."] : [],
      ],
    ],
    request: ({ addr }) => ({
      method: "POST",
      path: "api/sentinels",
      body: { addr: String(addr).trim() },
    }),
    done: ({ addr }) => `Sentinel ${String(addr).trim()} was added.`,
  },
  remove_sentinel: {
    title: ({ addr }) => `Remove sentinel ${addr}`,
    verb: "Remove sentinel",
    isRisky: true,
    fields: [
      {
        name: "force",
        label: "Remove it anyway; it does not come back",
        kind: "box",
        afterRefusal: true,
      },
    ],
    start: () => ({ force: false }),
    words: ({ addr }, { sentinels }) => [
      `${addr} watches no group of this product any more, and the other sentinels forget it.`,
      ...sentinels?.servers.length === 1
        ? ["It is the last one: from then on failover is as the dashboard's configuration says."]
        : [],
    ],
    request: ({ addr, force }) => ({
      method: "DELETE",
      path: `api/sentinels/${encodeURIComponent(String(addr)).replaceAll("%3A", ":")}`,
      ...force === true ? { body: { force: true } } : {},
    }),
    done: ({ addr }) => `Sentinel ${addr} was removed.`,
  },
  resync_sentinels: {
    title: () => "Resync all sentinels",
    verb: "Resync",
    isRisky: true,
    words: () => [
      "All sentinels forget this product, and watch the masters that the slot table has, with the " +
      "settings of the dashboard.",
      "For about a second no master is watched. This is refused while Sentinel replaces one.",
    ],
    request: () => ({ method: "POST", path: "api/sentinels/resync" }),
    done: () => "All sentinels watch the masters of the slot table.",
  },
};
