/**
 * What can be done with slots: owners set, keys moved, moves ended.
 *
 * @module
 */

import { counted, countedSlots, slotRange } from "./format.js";
import { DELAY_FIELD, planWords } from "./move_plan.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { Action, Field, Values } from "./actions.js" */

/** Highest slot number. */
const SLOT_MAX = 1023;
/** Most owners of a range that are named. */
const OWNERS_MAX = 4;

/** @type {readonly Field[]} */
const RANGE_FIELDS = [
  { name: "from", label: "First slot", kind: "number", least: 0, most: SLOT_MAX },
  { name: "to", label: "Last slot", kind: "number", least: 0, most: SLOT_MAX },
];
/** @type {Field} */
const GROUP_FIELD = {
  name: "new_group",
  label: "Group",
  kind: "choice",
  choices: ({ groups }) => groups.map(({ id }) => [String(id), `group ${id}`]),
};
/** @type {Field} */
const CANCEL_FIELD = {
  name: "mode",
  label: "What has begun",
  kind: "choice",
  choices: () => [
    ["", "goes back, unless it is nearly done"],
    ["back", "goes back in any case"],
    ["finish", "comes to its end"],
  ],
};

/** @type {Readonly<Record<string, Action>>} */
export const SLOT_ACTIONS = {
  range_set: {
    title: () => "Set the owner of slots",
    verb: "Set owner",
    isRisky: true,
    fields: [...RANGE_FIELDS, GROUP_FIELD, {
      name: "status",
      label: "Status",
      kind: "choice",
      choices: () => [["online", "online"], ["offline", "offline"]],
    }],
    start: (view) => ({ from: "0", to: String(SLOT_MAX), ...firstGroup(view), status: "online" }),
    problem: rangeProblem,
    words: ({ from, to, new_group, status }, view) => {
      const taken = countSlots(from, to, (slot) => view.slots.status[slot] !== "x");
      const slots = rangeOf(from, to);
      return [
        status === "online"
          ? `${slots} are given to group ${new_group} and served from there. No keys are moved.`
          : `${slots} are written down for group ${new_group} as offline: nobody is served there.`,
        "This is for slots that are offline. To change the owner of a slot in use, migrate it.",
        ...taken === 0 ? [] : [
          `${counted(taken, "slot of these is", "slots of these are")} in use now: it is refused.`,
        ],
      ];
    },
    request: ({ from, to, new_group, status }) => ({
      method: "POST",
      path: "api/slot",
      body: {
        from: Number(from),
        to: Number(to),
        new_group: Number(new_group),
        status: String(status),
      },
    }),
    done: ({ from, to, new_group }) => `${rangeOf(from, to)}: group ${new_group}.`,
  },
  init_slots: {
    title: () => "Initialize the slots",
    verb: "Initialize",
    isRisky: true,
    fields: [
      { name: "is_force", label: "Also where slots are there already", kind: "box" },
      {
        name: "product",
        label: "Product name, to be sure",
        kind: "text",
        hint: "type the name of this cluster",
      },
    ],
    start: () => ({ is_force: false, product: "" }),
    problem: ({ product }, view) =>
      String(product) === view.product
        ? ""
        : `"${product}" is not the name of this cluster: type ${view.product}`,
    words: ({ is_force }, view) => {
      const online = [...view.slots.status].filter((status) => status !== "-" && status !== "x");
      return [
        "All 1024 slots are written as offline, owned by nobody. Give them owners afterwards.",
        is_force === true
          ? `${counted(online.length, "slot")} in use now stop being served, at once and on all ` +
            "proxies, until they have owners again. Keys stay where they are, but nothing remembers " +
            "which group had them."
          : "It is refused when slots are there already.",
      ];
    },
    request: ({ is_force }) => ({
      method: "POST",
      path: is_force === true ? "api/slots/init?is_force=1" : "api/slots/init",
    }),
    done: () => "The slots were initialized.",
  },
  migrate: {
    title: () => "Migrate slots",
    verb: "Migrate",
    fields: [...RANGE_FIELDS, GROUP_FIELD, DELAY_FIELD],
    start: (view) => ({ from: "0", to: "0", ...firstGroup(view), delay: "0" }),
    problem: rangeProblem,
    words: ({ from, to, new_group, delay }, view) => {
      const isThere = (/** @type {number} */ slot) => view.slots.group[slot] === Number(new_group);
      const there = countSlots(from, to, isThere);
      return [
        `${rangeOf(from, to)} and their keys move to group ${new_group}. ` +
        `Now they are in ${ownersOf(view, from, to)}.`,
        Number(delay) === 0
          ? "Clients go on working. Keys move as fast as it goes."
          : `Clients go on working. The mover rests ${Number(delay)} ms between two moves.`,
        ...there === 0 ? [] : [
          there === Number(to) - Number(from) + 1
            ? "All of them are there already: it is refused."
            : `${counted(there, "slot of these is", "slots of these are")} there already.`,
        ],
        ...view.migrations_paused_since === null
          ? []
          : ["Migrations are paused: nothing moves until somebody resumes them."],
      ];
    },
    request: ({ from, to, new_group, delay }) => ({
      method: "POST",
      path: "api/migrate",
      body: {
        from: Number(from),
        to: Number(to),
        new_group: Number(new_group),
        delay: Number(delay),
      },
    }),
    done: ({ from, to, new_group }) => `${rangeOf(from, to)} will move to group ${new_group}.`,
  },
  rebalance: {
    title: () => "Rebalance",
    verb: "Rebalance",
    fields: [{
      name: "by",
      label: "Divide by",
      kind: "choice",
      choices: () => [["memory", "memory: by each master's maxmemory"], [
        "slots",
        "slots: as many for each group",
      ], ["ops", "requests: as many for each group"]],
    }, DELAY_FIELD],
    start: (view) => ({ by: haveMaxmemory(view) ? "memory" : "slots", delay: "0" }),
    words: () => [
      "The slots below move with their keys, while clients go on working.",
    ],
    preview: {
      request: ({ by }) => ({
        method: "POST",
        path: "api/rebalance",
        body: { dry_run: true, by: String(by) },
      }),
      words: planWords,
      isNothing: (plan) => plan.slots === 0,
    },
    request: ({ by, delay }) => ({
      method: "POST",
      path: "api/rebalance",
      body: { delay: Number(delay), by: String(by) },
    }),
    done: () => "The moves were queued.",
  },
  pause_migrations: {
    title: () => "Pause migrations",
    verb: "Pause",
    words: (_values, { migrations }) => [
      `No slot goes on moving until somebody resumes: ${
        counted(migrations.length, "slot stays as far as it is", "slots stay as far as they are")
      }, and clients go on working.`,
      "Of a slot that has begun, a key that a client uses still moves.",
      "It stays so when another dashboard leads.",
    ],
    request: () => ({ method: "POST", path: "api/migrate/pause" }),
    done: () => "Migrations are paused.",
  },
  resume_migrations: {
    title: () => "Resume migrations",
    verb: "Resume",
    words: (_values, { migrations }) => [
      `Keys move again: ${counted(migrations.length, "slot goes", "slots go")} on.`,
    ],
    request: () => ({ method: "POST", path: "api/migrate/resume" }),
    done: () => "Migrations go on.",
  },
  cancel_migration: {
    title: ({ slot }) => `Cancel the migration of slot ${slot}`,
    verb: "Cancel migration",
    isRisky: true,
    fields: [CANCEL_FIELD],
    start: () => ({ mode: "" }),
    words: ({ name, slot, mode }, view) => {
      const task = view.migrations.find((other) => other.name === name);
      if (task === undefined || task.status === "pending") {
        return [`Slot ${slot} stays where it is: none of its keys was moved yet.`];
      }
      if (mode === "finish") {
        return [`Slot ${slot} has begun: the rest of its keys move to group ${task.to_group}.`];
      }
      return [
        `Slot ${slot} goes back to ${
          task.from_group === null ? "the group it came from" : `group ${task.from_group}`
        }: the ${
          counted(task.keys_moved, "key")
        } moved so far are moved back, while clients go on ` +
        "working.",
        ...mode === "back" ? [] : ["If it is nearly done, it comes to its end instead."],
      ];
    },
    request: ({ name, mode }) => ({
      method: "DELETE",
      path: `api/migrate/tasks/${encodeURIComponent(String(name))}`,
      ...cancelBody(mode),
    }),
    done: ({ slot }) => `The migration of slot ${slot} was cancelled.`,
  },
  cancel_migrations: {
    title: () => "Cancel all migrations",
    verb: "Cancel all",
    isRisky: true,
    fields: [CANCEL_FIELD],
    start: () => ({ mode: "" }),
    words: ({ mode }, { migrations }) => {
      const begun = migrations.filter(({ status }) => status !== "pending");
      const waiting = migrations.length - begun.length;
      const keys = counted(begun.reduce((sum, { keys_moved }) => sum + keys_moved, 0), "key");
      return [
        ...waiting === 0 ? [] : [
          waiting === 1
            ? "1 slot that waits its turn stays where it is."
            : `${counted(waiting, "slot")} that wait their turn stay where they are.`,
        ],
        ...begun.length === 0 ? [] : [
          `${countedSlots(begun.map(({ slot_id }) => slot_id))} ${
            begun.length === 1 ? "has" : "have"
          } begun: ${
            mode === "finish"
              ? "the rest of the keys move."
              : `the ${keys} moved so far are moved back, while clients go on working.`
          }`,
          ...mode === "finish" || mode === "back"
            ? []
            : ["What is nearly done comes to its end instead."],
        ],
      ];
    },
    request: ({ mode }) => ({ method: "POST", path: "api/migrate/cancel", ...cancelBody(mode) }),
    done: () => "All migrations were cancelled.",
  },
};

/**
 * What a cancelling request says of what has begun, where it says anything.
 *
 * @param {string | boolean | undefined} mode
 */
function cancelBody(mode) {
  return mode === "" || mode === undefined ? {} : { body: { mode: String(mode) } };
}

/**
 * Whether all masters say how much memory they may take: then it is what groups are divided by.
 *
 * @param {ClusterView} view
 */
function haveMaxmemory({ groups }) {
  const masters = groups.flatMap(({ servers }) => servers.filter(({ type }) => type === "master"));
  return masters.every(({ maxmemory_bytes }) => (maxmemory_bytes ?? 0) > 0);
}

/** @param {ClusterView} view */
function firstGroup({ groups }) {
  return { new_group: String(groups[0]?.id ?? "") };
}

/**
 * @param {Values} values
 * @param {ClusterView} view
 */
function rangeProblem({ from, to, new_group }, view) {
  if (Number(from) > Number(to)) return `slot ${from} to ${to}: the first is behind the last`;
  if (!view.groups.some(({ id }) => id === Number(new_group))) return "there is no group to choose";
  return "";
}

/**
 * @param {string | boolean | undefined} from
 * @param {string | boolean | undefined} to
 */
function rangeOf(from, to) {
  const range = slotRange(Number(from), Number(to));
  return range.charAt(0).toUpperCase() + range.slice(1);
}

/**
 * @param {string | boolean | undefined} from
 * @param {string | boolean | undefined} to
 * @param {(slot: number) => boolean} isCounted
 */
function countSlots(from, to, isCounted) {
  let count = 0;
  for (let slot = Number(from); slot <= Math.min(SLOT_MAX, Number(to)); slot++) {
    if (isCounted(slot)) count++;
  }
  return count;
}

/**
 * Who owns a range now: `group 1 (3 slots) and group 2 (1 slot)`.
 *
 * @param {ClusterView} view
 * @param {string | boolean | undefined} from
 * @param {string | boolean | undefined} to
 */
function ownersOf({ slots }, from, to) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (let slot = Number(from); slot <= Math.min(SLOT_MAX, Number(to)); slot++) {
    const owner = slots.group[slot] ?? -1;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const parts = [...counts].map(([owner, count]) =>
    `${owner < 0 ? "no group" : `group ${owner}`} (${counted(count, "slot")})`
  );
  const others = parts.splice(OWNERS_MAX);
  if (others.length > 0) parts.push(`${counted(others.length, "other group")}`);
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
