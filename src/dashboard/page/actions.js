/**
 * The actions of the page: title, fields, what will happen in words, and the request that does it.
 *
 * @module
 */

import { ACCESS_ACTIONS } from "./access_actions.js";
import { GROUP_ACTIONS } from "./group_actions.js";
import { REDIS_USER_ACTIONS } from "./redis_user_actions.js";
import { SENTINEL_ACTIONS } from "./sentinel_actions.js";
import { SLOT_ACTIONS } from "./slot_actions.js";
import { counted } from "./format.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { ApiRequest } from "./api.js" */

/**
 * The values of the fields: text and numbers as typed, boxes as ticked.
 *
 * @typedef {Readonly<Record<string, string | boolean>>} Values
 */

/**
 * A field of a dialog.
 *
 * @typedef {object} Field
 * @property {string} name As in the request's body.
 * @property {string} label
 * @property {"number" | "text" | "password" | "choice" | "box"} kind
 * @property {string} [hint]
 * @property {boolean} [isOptional] Whether a text may be left empty.
 * @property {number} [least] Of a number.
 * @property {number} [most] Of a number.
 * @property {(view: ClusterView, values: Values) => readonly (readonly [value: string, text: string])[]} [choices]
 * @property {(values: Values) => boolean} [isLeftOut] Whether it is not needed for what is filled in.
 * @property {boolean} [afterRefusal] Whether it appears only after the plain request was refused, and can be forced.
 */

/**
 * An action of the user.
 *
 * @typedef {object} Action
 * @property {(values: Values) => string} title
 * @property {string} verb On the button that does it.
 * @property {boolean} [isRisky] Whether the button has the colour of a warning.
 * @property {readonly Field[]} [fields]
 * @property {(view: ClusterView) => Values} [start] The first values of the fields.
 * @property {(values: Values, view: ClusterView) => readonly string[]} words What will happen.
 * @property {(values: Values, view: ClusterView) => string} [problem] Why it cannot be done as filled
 * in; `""`: it can.
 * @property {(values: Values) => ApiRequest} request
 * @property {Preview} [preview]
 * @property {(values: Values) => string} done The message when it was done.
 * @property {(answer: any) => string} [shown] What of the answer is shown once, and nowhere else.
 */

/**
 * A request that shows what the action would do.
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
      `${id} loads the slot table and starts to serve clients. Clients that discover proxies find it.`,
      "This is refused while a slot is offline or has no group.",
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
        "client connected to it is disconnected and must use another proxy",
        "clients connected to it are disconnected and must use another proxy",
      );
      return [
        `${id} answers the requests that it has received. Then it leaves the store and its process ` +
        `exits. The ${connected}.`,
        "It does not restart by itself: start the process again when you need it.",
        "The change is done when the proxy is gone.",
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
      `The fences of ${
        dead_fences.join(", ") || "no proxy"
      } are removed. Then the cluster can be ` +
      "changed again.",
      "A fence means that a proxy may still serve with an old slot table. Do this only when you know " +
      "that these processes do not run. A running one would still write to the old owners of slots, " +
      "and these writes would be lost.",
      "If you start a proxy again at its address, it takes over its fence. Then there is nothing to " +
      "remove.",
    ],
    request: () => ({ method: "POST", path: "api/remove_fence" }),
    done: () => "Dead fences were removed.",
  },
  remove_locks: {
    title: () => "Remove locks",
    verb: "Remove locks",
    isRisky: true,
    words: () => [
      "All locks for changes are deleted from the coordinator. This helps when a dashboard or a " +
      'command has crashed and changes fail with "obtaining lock timed out".',
      "Do this only when no change is running. Without a lock, two changes can run at the same time.",
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
        ? `The newest ${amount} actions and 500 more stay. All others are deleted from the ` +
          "coordinator, with their answers."
        : `Actions older than ${amount} seconds are deleted from the coordinator, with their answers.`,
      "Old actions are only a record. Proxies do not need actions that they have confirmed.",
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
  ...ACCESS_ACTIONS,
  ...GROUP_ACTIONS,
  ...REDIS_USER_ACTIONS,
  ...SENTINEL_ACTIONS,
  ...SLOT_ACTIONS,
  ...PROXY_ACTIONS,
  ...UPKEEP_ACTIONS,
};

/**
 * The problem of a field; `""`: none.
 *
 * @param {Field} field
 * @param {string | boolean | undefined} value
 */
export function fieldProblem({ kind, label, isOptional, least = 0, most = Infinity }, value) {
  if (kind === "number") {
    const text = String(value ?? "").trim();
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < least || number > most) {
      const rule = most === Infinity ? `from ${least}` : `from ${least} to ${most}`;
      return `${label}: "${text}" is not a whole number ${rule}`;
    }
  }
  const isText = kind === "text" || kind === "password";
  if (isText && isOptional !== true && String(value ?? "").trim() === "") {
    return `${label} is missing`;
  }
  return "";
}
