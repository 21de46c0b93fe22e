/**
 * What the dashboard's endpoints ask for and answer, besides the records of the store and the view of
 * the cluster. Fields are spelled as on the wire.
 *
 * @module
 */

import { ALLOWED_COMMAND_SHAPE } from "../model/allowed_command.ts";
import { AUDIT_ENTRY_SHAPE, type AuditEntry } from "../model/audit_entry.ts";
import { OUTAGE_EVENT_SHAPE, type OutageEvent } from "../model/outage_event.ts";
import { type ApiToken } from "../model/api_token.ts";
import { type DashboardUser, type Role, ROLES } from "../model/dashboard_user.ts";
import { MIGRATE_TASK_SHAPE } from "../model/migrate_task.ts";
import { PROXY_SHAPE, type ProxyRecord } from "../model/proxy.ts";
import {
  integer,
  listOf,
  optional,
  RecordError,
  recordOf,
  type Shape,
  text,
  word,
} from "../model/record.ts";
import type { HotKeysAnswer } from "./hot_keys.ts";
import { DRAIN_STATES, type DrainState } from "./proxy_stats.ts";
import type { SlotRule } from "../hash/placement.ts";
import type { GroupRecord } from "../model/group.ts";
import {
  READ_POLICIES,
  type ReadPolicy,
  USER_LIMITS_SHAPE,
  type UserLimits,
} from "../model/redis_user.ts";
import { SERVER_TYPES, type ServerRecord } from "../model/server.ts";
import { SLOT_RULES_SHAPE } from "../model/slot_rule.ts";
import { SLOT_SHAPE, type SlotRecord, type SlotStatus } from "../model/slot.ts";
import type { ClusterView, SentinelsView } from "./cluster_view.ts";
import type { SlowRequestEntry } from "./slow_log.ts";

/** What every change that was made is answered with. */
export interface DoneAnswer {
  readonly msg: string;
  /** 0, always. */
  readonly ret: number;
}

/** What moves that were planned and queued are answered with. */
export interface QueuedAnswer extends DoneAnswer {
  /** How many slots will move; undefined from a Codis 2.0 dashboard. */
  readonly slots: number | undefined;
  /** Which they are, and where to; undefined from an older dashboard. */
  readonly moves: readonly RebalanceMove[] | null | undefined;
}

/** `POST /api/server_group/:id/switch`. */
export interface SwitchedAnswer extends DoneAnswer {
  /** The master of the group from now on. */
  readonly addr: string;
}

/** `GET /api/overview`. */
export interface OverviewAnswer {
  /** Requests per second. */
  readonly ops: number;
  readonly product: string;
  /** INFO of each master; `null` for one that cannot be read. */
  readonly redis_infos: readonly unknown[] | null;
}

/** `GET /api/redis/<addr>/<slot>/slotinfo`. */
export interface SlotKeysAnswer {
  readonly keys: number;
  readonly slot_id: number;
}

/** `GET /api/redis/group/<gid>/<slot>/slotinfo`. */
export interface GroupSlotKeysAnswer extends SlotKeysAnswer {
  /** The group's master. */
  readonly addr: string;
  readonly group_id: number;
}

/** `GET /api/migrate/status`. */
export interface MigrateStatusAnswer {
  readonly migrate_slots: readonly SlotRecord[] | null;
}

/** Slots that a rebalance moves, both ends included. */
export interface RebalanceMove {
  readonly from_slot: number;
  readonly to_slot: number;
  readonly from_group: number;
  readonly to_group: number;
}

/** `POST /api/rebalance` with `dry_run`. */
export interface RebalancePlanAnswer {
  readonly moves: readonly RebalanceMove[] | null;
  /** How many slots move. */
  readonly slots: number;
  /** Of a plan by requests: what each group gets of them per second. */
  readonly loads?: readonly GroupLoad[] | null;
  /** Of a plan by requests: keys that are too hot for any plan. */
  readonly hot_keys?: readonly HotKeyOfGroup[] | null;
}

/** A key that alone gets more requests than a group should. */
export interface HotKeyOfGroup {
  readonly group_id: number;
  readonly key: string;
  /** Of its group's requests, in percent. */
  readonly percent: number;
}

/** Requests per second of a group, as it is and as planned. */
export interface GroupLoad {
  readonly group_id: number;
  readonly ops_before: number;
  readonly ops_after: number;
}

/** One line of `GET /api/check`. */
export interface ProblemView {
  readonly path: string;
  /** `error` or `warning`. */
  readonly severity: string;
  readonly problem: string;
  readonly fix: string;
}

/** `GET /api/check`. */
export interface CheckAnswer {
  readonly problems: readonly ProblemView[] | null;
  /** Addresses of servers that did not answer. */
  readonly silent_servers: readonly string[] | null;
}

/** What `POST /api/proxy/:id/config` takes: who changed a proxy's configuration, and what, or why nothing. */
export interface ConfigNoteBody {
  readonly by: string;
  readonly changes: string;
  readonly error: string;
}

/** What `POST /api/migrate` takes: one task for each slot, both ends included. */
export interface MigrateBody {
  readonly from: number;
  readonly to: number;
  readonly new_group: number;
  /** Milliseconds between two moves. */
  readonly delay: number;
  /** Whether keys of these slots that only the new group has are kept. @default they keep the slot waiting */
  readonly keep?: boolean;
}

/** What to do with a migration that has started, when it is cancelled: move it back, or let it finish. */
export const CANCEL_MODES = ["back", "finish"] as const;

/** One of {@linkcode CANCEL_MODES}. */
export type CancelMode = (typeof CANCEL_MODES)[number];

/** What a rebalance makes even: slots per group, slots per `maxmemory` of the masters, or requests. */
export const REBALANCE_BY = ["slots", "memory", "ops"] as const;

/** One of {@linkcode REBALANCE_BY}. */
export type RebalanceBy = (typeof REBALANCE_BY)[number];

/** What `POST /api/rebalance` takes. */
export interface RebalanceBody {
  readonly delay?: number;
  readonly by?: RebalanceBy;
}

/** What `POST /api/slot` takes: slots both ends included. */
export interface SlotRangeBody {
  readonly from: number;
  readonly to: number;
  readonly new_group: number;
  readonly status: SlotStatus;
}

/** `GET /api/slot_rules`. */
export interface SlotRulesAnswer {
  readonly rules: readonly SlotRule[] | null;
  /** Rules that may come, while a change is being made. */
  readonly pending: readonly SlotRule[] | null;
}

/** `GET /api/slot_rules/test`: where a key is placed, and why. */
export interface KeyPlaceAnswer {
  readonly key: string;
  readonly slot: number;
  /** The group that owns the slot; -1: none. */
  readonly group: number;
  /** What decides: its own tag, a rule, or all of the key. */
  readonly by: "tag" | "rule" | "key";
  /** The part of the key, or the tag, that counts. */
  readonly part: string;
  /** The rule; null unless one decides. */
  readonly rule: SlotRule | null;
}

/** One of `GET /api/redis_users`: a user that Redis clients log in as. */
export interface RedisUserAnswer {
  readonly name: string;
  readonly on: boolean;
  readonly nopass: boolean;
  /** How many passwords it has. */
  readonly passwords: number;
  /** What it may do, without passwords. */
  readonly rules: string;
  /** For each proxy; 0: no limit. */
  readonly limits: UserLimits;
  /** Where its clients read from; left out: as each proxy's configuration says. */
  readonly read_from?: ReadPolicy | undefined;
}

/** `GET /api/redis_users`. */
export interface RedisUsersAnswer {
  readonly users: readonly RedisUserAnswer[] | null;
  /** Proxies that do not use these users. */
  readonly other_proxies: readonly string[] | null;
}

/** `POST /api/redis_users/import`. */
export interface ImportedUsersAnswer extends DoneAnswer {
  readonly names: readonly string[] | null;
}

/** One of `GET /api/users`: all but the password. */
export type UserAnswer = Omit<DashboardUser, "password">;

/** One of `GET /api/tokens`: all but what the token is checked by. */
export type TokenAnswer = Omit<ApiToken, "hash">;

/** `POST /api/tokens`. */
export interface NewTokenAnswer extends DoneAnswer {
  /** The token itself, shown this once. */
  readonly token: string;
}

/** What `POST /api/tokens` takes. */
export interface TokenBody {
  readonly name: string;
  readonly role: Role;
  /** Left out: it does not expire. */
  readonly expires_seconds?: number;
}

/** `GET /api/audit`, newest first. */
export interface AuditAnswer {
  readonly entries: readonly AuditEntry[] | null;
}

/** A server of a group; `zone` is left out where it has none, as Codis 2.0 has none. */
export interface GroupServerAnswer extends ServerRecord {
  readonly zone?: string | undefined;
}

/** A group and its servers. */
export interface GroupAnswer extends GroupRecord {
  readonly servers: readonly GroupServerAnswer[] | null;
}

const GROUP_ANSWER_SHAPE = recordOf<GroupAnswer>({
  id: integer,
  product_name: text,
  servers: listOf(recordOf<GroupServerAnswer>({
    type: word(SERVER_TYPES),
    group_id: integer,
    addr: text,
    zone: optional(text),
  })),
});

/** One proxy of `GET /api/proxy/list`. */
export interface ListedProxy extends ProxyRecord {
  /** Whether it lets its clients go, or has let them go; else, and in Codis 2.0: left out. */
  readonly drain?: DrainState;
}

const DRAIN_SHAPE = recordOf<Pick<ListedProxy, "drain">>({ drain: optional(word(DRAIN_STATES)) });

const LISTED_PROXY_SHAPE: Shape<ListedProxy> = {
  read: (value, at) => ({ ...PROXY_SHAPE.read(value, at), ...DRAIN_SHAPE.read(value, at) }),
  write: (value) => value,
};

/** `GET /api/events`, newest first. */
export interface EventsAnswer {
  readonly events: readonly OutageEvent[] | null;
  /** The begins of outages that have not ended. */
  readonly open: readonly OutageEvent[] | null;
}

/** `GET /api/hotkeys`: hot and big keys of all proxies. */
export interface HotKeysOfAll extends HotKeysAnswer {
  /** The proxies whose keys are missing, and why. */
  readonly problems: readonly { readonly proxy_id: string; readonly problem: string }[] | null;
}

/** Which entries of who did what are wanted. */
export interface AuditFilter {
  readonly limit: number;
  readonly who?: string;
  readonly refused?: boolean;
}

/** `GET /api/slowlog`: slow requests of all proxies, newest first. */
export interface SlowRequestsAnswer {
  readonly entries: readonly (SlowRequestEntry & { readonly proxy_id: string })[] | null;
  /** The proxies whose slow requests are missing, and why. */
  readonly problems: readonly { readonly proxy_id: string; readonly problem: string }[] | null;
}

/** Any object, whatever its fields. */
const object: Shape<Readonly<Record<string, unknown>>> = {
  read(value, at) {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    throw new RecordError(`${at} must be an object`);
  },
  write: (value) => value,
};

const anything: Shape<unknown> = { read: (value) => value, write: (value) => value };

const MOVE_SHAPE = recordOf<RebalanceMove>({
  from_slot: integer,
  to_slot: integer,
  from_group: integer,
  to_group: integer,
});

/** The shape of each answer, by what it is. */
export const ANSWER_SHAPES = {
  done: recordOf<DoneAnswer>({ msg: text, ret: integer }),
  queued: recordOf<QueuedAnswer>({
    msg: text,
    ret: integer,
    slots: optional(integer),
    moves: optional(listOf(MOVE_SHAPE)),
  }),
  switched: recordOf<SwitchedAnswer>({ msg: text, ret: integer, addr: text }),
  overview: recordOf<OverviewAnswer>({
    ops: integer,
    product: text,
    redis_infos: listOf(anything),
  }),
  group: GROUP_ANSWER_SHAPE,
  groups: listOf(GROUP_ANSWER_SHAPE),
  redisStat: object as Shape<Readonly<Record<string, string>>>,
  migrateStatus: recordOf<MigrateStatusAnswer>({ migrate_slots: listOf(SLOT_SHAPE) }),
  migrateTasks: listOf(MIGRATE_TASK_SHAPE),
  allowedCommands: listOf(ALLOWED_COMMAND_SHAPE),
  slot: SLOT_SHAPE,
  slots: listOf(SLOT_SHAPE),
  slotRules: SLOT_RULES_SHAPE,
  keyPlace: recordOf<KeyPlaceAnswer>({
    key: text,
    slot: integer,
    group: integer,
    by: word(["tag", "rule", "key"]),
    part: text,
    rule: anything as Shape<SlotRule | null>,
  }),
  proxies: listOf(LISTED_PROXY_SHAPE),
  debugVars: object,
  rebalancePlan: recordOf<RebalancePlanAnswer>({
    moves: listOf(MOVE_SHAPE),
    slots: integer,
    loads: listOf(
      recordOf<GroupLoad>({ group_id: integer, ops_before: integer, ops_after: integer }),
    ),
    hot_keys: listOf(recordOf<HotKeyOfGroup>({ group_id: integer, key: text, percent: integer })),
  }),
  check: recordOf<CheckAnswer>({
    problems: listOf(
      recordOf<ProblemView>({ path: text, severity: text, problem: text, fix: text }),
    ),
    silent_servers: listOf(text),
  }),
  redisUsers: recordOf<RedisUsersAnswer>({
    users: listOf(recordOf<RedisUserAnswer>({
      name: text,
      on: anything as Shape<boolean>,
      nopass: anything as Shape<boolean>,
      passwords: integer,
      rules: text,
      limits: USER_LIMITS_SHAPE,
      read_from: optional(word(READ_POLICIES)),
    })),
    other_proxies: listOf(text),
  }),
  importedUsers: recordOf<ImportedUsersAnswer>({ msg: text, ret: integer, names: listOf(text) }),
  users: listOf(recordOf<UserAnswer>({
    name: text,
    role: word(ROLES),
    created_at: integer,
    changed_at: integer,
  })),
  tokens: listOf(recordOf<TokenAnswer>({
    name: text,
    role: word(ROLES),
    prefix: text,
    created_at: integer,
    expires_at: integer,
  })),
  newToken: recordOf<NewTokenAnswer>({ msg: text, ret: integer, token: text }),
  audit: recordOf<AuditAnswer>({ entries: listOf(AUDIT_ENTRY_SHAPE) }),
  events: recordOf<EventsAnswer>({
    events: listOf(OUTAGE_EVENT_SHAPE),
    open: listOf(OUTAGE_EVENT_SHAPE),
  }),
  // Too large and too young to be spelled out twice: their types are the contract.
  slowRequests: object as unknown as Shape<SlowRequestsAnswer>,
  hotKeys: object as unknown as Shape<HotKeysOfAll>,
  cluster: object as unknown as Shape<ClusterView>,
  sentinels: anything as Shape<SentinelsView | null>,
} as const;
