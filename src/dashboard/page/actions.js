/**
 * Everything that can be done from the page: what it is called, what it asks for, what it says will
 * happen, and the request that does it.
 *
 * @module
 */

import { GROUP_ACTIONS } from "./group_actions.js";
import { SLOT_ACTIONS } from "./slot_actions.js";
import { counted } from "./format.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { ApiRequest } from "./api.js" */

/**
 * What was filled in: text and numbers as typed, boxes as they are ticked.
 *
 * @typedef {Readonly<Record<string, string | boolean>>} Values
 */

/**
 * One thing to fill in.
 *
 * @typedef {object} Field
 * @property {string} name As in the request's body.
 * @property {string} label
 * @property {"number" | "text" | "choice" | "box"} kind
 * @property {string} [hint]
 * @property {number} [least] Of a number.
 * @property {number} [most] Of a number.
 * @property {(view: ClusterView) => readonly (readonly [value: string, text: string])[]} [choices]
 * @property {boolean} [afterRefusal] Whether it is offered only once the plain request was refused.
 */

/**
 * Something that can be done.
 *
 * @typedef {object} Action
 * @property {(values: Values) => string} title
 * @property {string} verb On the button that does it.
 * @property {boolean} [isRisky] Whether the button warns.
 * @property {readonly Field[]} [fields]
 * @property {(view: ClusterView) => Values} [start] What the fields hold at first.
 * @property {(values: Values, view: ClusterView) => readonly string[]} words What will happen.
 * @property {(values: Values, view: ClusterView) => string} [problem] Why it cannot be done as filled
 * in; `""`: it can.
 * @property {(values: Values) => ApiRequest} request
 * @property {Preview} [preview]
 * @property {(values: Values) => string} done What is said when it was done.
 */

/**
 * A request that tells beforehand what the action would do.
 *
 * @typedef {object} Preview
 * @property {(values: Values) => ApiRequest} request
 * @property {(answer: any) => readonly string[]} words
 * @property {(answer: any) => boolean} isNothing Whether there is nothing to do.
 */

/** @type {Readonly<Record<string, Action>>} */
const PROXY_ACTIONS = {
  proxy_online: {
    title: ({ id }) => `Set ${id} online`,
    verb: "Set online",
    words: ({ id }) => [
      `${id} loads the slot table and begins to serve clients; clients that look proxies up find it.`,
      "It is refused while a slot is offline or has no owner.",
    ],
    request: ({ id }) => ({
      method: "POST",
      path: "api/proxy",
      body: { id: String(id), state: "online" },
    }),
    done: ({ id }) => `${id} was set online.`,
  },
  proxy_offline: {
    title: ({ id }) => `Take ${id} offline`,
    verb: "Take offline",
    isRisky: true,
    words: ({ id }, view) => {
      const proxy = view.proxies.find((other) => other.id === id);
      const connected = counted(
        proxy?.sessions ?? 0,
        "client connected to it now is cut off and must connect",
        "clients connected to it now are cut off and must connect",
      );
      return [
        `${id} deregisters and its process exits, after what clients have asked for. The ` +
        `${connected} elsewhere.`,
        "It does not come back by itself: somebody has to start the process again.",
        "This waits until it has gone.",
      ];
    },
    request: ({ id }) => ({
      method: "POST",
      path: "api/proxy",
      body: { id: String(id), state: "mark_offline" },
    }),
    done: ({ id }) => `${id} went offline.`,
  },
};

/** @type {Readonly<Record<string, Action>>} */
const UPKEEP_ACTIONS = {
  remove_fences: {
    title: () => "Remove dead fences",
    verb: "Remove fences",
    isRisky: true,
    words: (_values, { dead_fences }) => [
      `The fences of ${dead_fences.join(", ") || "no proxy"} are removed, and the cluster can be ` +
      "changed again.",
      "A fence stands where a proxy may still be serving with a slot table that is out of date. " +
      "Do this only when you know that these processes are not running: one that runs would go on " +
      "writing to the old owners of slots, and those writes would be lost.",
      "A proxy that is started again at its address takes its fence over by itself; then nothing " +
      "needs to be removed.",
    ],
    request: () => ({ method: "POST", path: "api/remove_fence" }),
    done: () => "Dead fences were removed.",
  },
  remove_locks: {
    title: () => "Remove locks",
    verb: "Remove locks",
    isRisky: true,
    words: () => [
      "Every lock that was taken for a change is deleted from the coordinator. It helps when a " +
      'dashboard or a command died in the middle, and changes fail with "obtaining lock timed out".',
      "Do this only when nobody else is changing the cluster: without its lock, two changes can be " +
      "made at once.",
    ],
    request: () => ({ method: "POST", path: "api/force_remove_locks" }),
    done: () => "Locks were removed.",
  },
  action_gc: {
    title: () => "Delete old actions",
    verb: "Delete",
    fields: [
      {
        name: "by",
        label: "Keep",
        kind: "choice",
        choices: () => [["keep", "the newest ones"], ["secs", "those of the last seconds"]],
      },
      { name: "amount", label: "How many", kind: "number", least: 0, most: 1_000_000_000 },
    ],
    start: () => ({ by: "keep", amount: "500" }),
    words: ({ by, amount }) => [
      by === "keep"
        ? `All actions but the newest ${amount}, and 500 more, are deleted from the coordinator, with ` +
          "their answers."
        : `Actions older than ${amount} seconds are deleted from the coordinator, with their answers.`,
      "They are a record only: proxies need no action that they have confirmed.",
    ],
    request: ({ by, amount }) => ({
      method: "POST",
      path: `api/action/gc?${by === "keep" ? "keep" : "secs"}=${Number(amount)}`,
    }),
    done: () => "Old actions were deleted.",
  },
};

/** All of them, by name. */
export const ACTIONS = {
  ...GROUP_ACTIONS,
  ...SLOT_ACTIONS,
  ...PROXY_ACTIONS,
  ...UPKEEP_ACTIONS,
};

/**
 * What is wrong with one field; `""`: nothing.
 *
 * @param {Field} field
 * @param {string | boolean | undefined} value
 */
export function fieldProblem({ kind, label, least = 0, most = Infinity }, value) {
  if (kind === "number") {
    const text = String(value ?? "").trim();
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < least || number > most) {
      const rule = most === Infinity ? `from ${least}` : `from ${least} to ${most}`;
      return `${label}: "${text}" is not a whole number ${rule}`;
    }
  }
  if (kind === "text" && String(value ?? "").trim() === "") return `${label} is missing`;
  return "";
}
