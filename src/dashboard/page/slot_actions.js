/**
 * The actions for slots: set the owner, initialize, migrate, pause, cancel.
 *
 * @module
 */

import { counted, countedSlots, slotRange } from "./format.js";
import { goneProblem } from "./group_actions.js";
import { DELAY_FIELD, planWords } from "./move_plan.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { Action, Field, Values } from "./actions.js" */

/** Highest slot number. */
const SLOT_MAX = 1023;
/** Longest list of owners of a range. */
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
  label: "Slots whose migration has started",
  kind: "choice",
  choices: () => [
    ["", "move back, unless nearly done"],
    ["back", "move back, even if nearly done"],
    ["finish", "finish"],
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
      const slots = slotRange(Number(from), Number(to));
      return [
        status === "online"
          ? `Group ${new_group} then owns ${slots} and serves clients. No keys move.`
          : `Group ${new_group} then owns ${slots}, but offline: clients get errors.`,
        "This is only for offline slots. To move a slot that is in use, migrate it.",
        ...taken === 0 ? [] : [
          `${counted(taken, "of these slots is", "of these slots are")} in use: this is refused.`,
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
      { name: "is_force", label: "Overwrite existing slots", kind: "box" },
      {
        name: "product",
        label: "Product name, to confirm",
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
      const online = [...view.slots.status].filter((status) => !"-ux".includes(status));
      return [
        "All 1024 slots are created, offline and without a group. Then assign them to groups.",
        is_force === true
          ? `Requests for the ${
            counted(online.length, "slot")
          } in use get errors at once, on all ` +
            "proxies, until the slots have groups again. Keys stay on their servers, but the cluster " +
            "forgets which group owned which slot."
          : "This is refused if slots exist.",
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
        `${rangeOf(from, to)} and ${
          Number(from) === Number(to) ? "its" : "their"
        } keys move to group ${new_group}. ` +
        `The owner now: ${ownersOf(view, from, to)}.`,
        Number(delay) === 0
          ? "Clients keep working. Keys move at full speed."
          : `Clients keep working. The migration pauses ${Number(delay)} ms between two moves.`,
        ...there === 0 ? [] : [
          there === Number(to) - Number(from) + 1
            ? "The group owns all of them already: this is refused."
            : `The group owns ${counted(there, "of them", "of them")} already.`,
        ],
        ...view.migrations_paused_since === null
          ? []
          : ["Migrations are paused: nothing moves until you resume them."],
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
      label: "Spread by",
      kind: "choice",
      choices: () => [["memory", "memory: by each master's maxmemory"], [
        "slots",
        "slots: the same number for each group",
      ], ["ops", "requests: the same rate for each group"]],
    }, DELAY_FIELD],
    start: (view) => ({ by: haveMaxmemory(view) ? "memory" : "slots", delay: "0" }),
    words: () => [
      "The slots below move with their keys. Clients keep working.",
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
      `Migrations stop until you resume them: ${
        counted(migrations.length, "slot waits", "slots wait")
      }. Clients keep working.`,
      "In a slot that is half moved, a key still moves when a client uses it.",
      "The pause remains when another dashboard takes over.",
    ],
    request: () => ({ method: "POST", path: "api/migrate/pause" }),
    done: () => "Migrations are paused.",
  },
  resume_migrations: {
    title: () => "Resume migrations",
    verb: "Resume",
    words: (_values, { migrations }) => [
      `Migrations continue: ${counted(migrations.length, "slot is", "slots are")} left to move.`,
    ],
    request: () => ({ method: "POST", path: "api/migrate/resume" }),
    done: () => "Migrations were resumed.",
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
        return [`Slot ${slot} stays where it is. None of its keys has moved yet.`];
      }
      if (mode === "finish") {
        return [
          `The migration of slot ${slot} has started: its other keys move to group ${task.to_group}, too.`,
        ];
      }
      return [
        `Slot ${slot} moves back to ${
          task.from_group === null ? "its old group" : `group ${task.from_group}`
        }, with the ${counted(task.keys_moved, "key")} moved so far. Clients keep working.`,
        ...mode === "back" ? [] : ["If it is nearly done, it finishes instead."],
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
            ? "1 waiting slot stays where it is."
            : `${counted(waiting, "waiting slot")} stay where they are.`,
        ],
        ...begun.length === 0 ? [] : [
          `The migration of ${countedSlots(begun.map(({ slot_id }) => slot_id))} has started: ${
            mode === "finish"
              ? "the other keys move, too."
              : `the ${keys} moved so far move back. Clients keep working.`
          }`,
          ...mode === "finish" || mode === "back"
            ? []
            : ["Slots that are nearly done finish instead."],
        ],
      ];
    },
    request: ({ mode }) => ({ method: "POST", path: "api/migrate/cancel", ...cancelBody(mode) }),
    done: () => "All migrations were cancelled.",
  },
};

/**
 * The part of a cancelling request that says what started migrations do.
 *
 * @param {string | boolean | undefined} mode
 */
function cancelBody(mode) {
  return mode === "" || mode === undefined ? {} : { body: { mode: String(mode) } };
}

/**
 * Whether all masters have a maxmemory: then slots are spread by it.
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
  if (Number(from) > Number(to)) {
    return `slot ${from} to ${to}: the first slot must not be above the last`;
  }
  return new_group === "" ? "there is no group yet" : goneProblem(new_group, view);
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
