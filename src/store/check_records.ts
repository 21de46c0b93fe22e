/**
 * Records that cannot be read: what of a product is lost with each kind of them, and what to do.
 *
 * Slots, servers, proxies and migration tasks are in `decoded_tree.ts`, slot rules in `check_slot_rules.ts`. A fence, a
 * pause, a lock and a write hold count whatever they hold.
 *
 * @module
 */

import { decodeAction } from "../model/action.ts";
import { decodeAllowedCommands } from "../model/allowed_command.ts";
import { decodeApiTokens } from "../model/api_token.ts";
import { decodeAuditPage } from "../model/audit_entry.ts";
import { decodeDashboard } from "../model/dashboard.ts";
import { decodeDashboardUsers } from "../model/dashboard_user.ts";
import { decodeOutagePage } from "../model/outage_event.ts";
import { decodeProductMove } from "../model/product_move.ts";
import { decodeProductStatus } from "../model/product_status.ts";
import { RecordError } from "../model/record.ts";
import { decodeRedisUsers } from "../model/redis_user.ts";
import { decodeSentinels } from "../model/sentinels.ts";
import { decodeServerZones } from "../model/server_zone.ts";
import type { DecodedTree } from "./decoded_tree.ts";
import { decodeFailedMaster } from "./failed_masters.ts";
import { CONFIG, errorAt, type Problem, removable, removalOf, warningAt } from "./problem.ts";
import { RECORD_FOLDERS, SINGLE_RECORDS } from "./product_tree.ts";

/** A kind of records. */
interface RecordKind {
  /** @throws {RecordError} When it is none. */
  readonly decode: (json: string) => unknown;
  /** What to do, given how to take it away. */
  readonly fix: (removal: string) => string;
  /** Whether something is missed without it. @default true */
  readonly isMissed?: boolean;
}

/** Each kind, by its noun in `paths.ts`. */
const KINDS: Readonly<
  Record<typeof SINGLE_RECORDS[number] | typeof RECORD_FOLDERS[number], RecordKind>
> = {
  intent: {
    decode: checkIntent,
    fix: (removal) =>
      `${removal}, then check again: a change may be half made; until then none is made`,
  },
  sentinels: {
    decode: decodeSentinels,
    fix: (removal) => `${removal}, then ${CONFIG} sentinel add`,
  },
  serverZones: {
    decode: decodeServerZones,
    fix: (removal) =>
      `${removal}, and set zones anew with ${CONFIG} server zone; until then proxies do not notice new ` +
      "replicas",
  },
  redisUsers: {
    decode: decodeRedisUsers,
    fix: (removal) =>
      `${CONFIG} acl import of a file with all users, also default; or ${removal}: then everybody is the ` +
      "default user of config.ini; until then no proxy with acl = store starts",
  },
  allowedCommands: {
    decode: decodeAllowedCommands,
    fix: (removal) => `${removal}, and allow each anew with ${CONFIG} command allow`,
  },
  dashboardUsers: {
    decode: decodeDashboardUsers,
    fix: (removal) =>
      `${removal}, then ${CONFIG} user add: while there are none, nobody has to log in`,
  },
  apiTokens: {
    decode: decodeApiTokens,
    fix: (removal) => `${removal}, then ${CONFIG} token add`,
  },
  dashboard: {
    decode: decodeDashboard,
    fix: (removal) => `restart codis-proxy dashboard; if none runs, ${removal}`,
  },
  dashboardStatus: {
    decode: decodeProductStatus,
    fix: (removal) => `${removal}: the dashboard that leads writes it anew`,
    isMissed: false,
  },
  move: {
    decode: decodeProductMove,
    fix: (removal) => `if the product is being moved, ${CONFIG} move again; otherwise ${removal}`,
  },
  actionsBefore: {
    decode: checkCount,
    fix: (removal) => `${removal}, then restart all proxies of the product`,
  },
  actions: {
    decode: decodeAction,
    fix: (removal) => `${removal}, then restart the proxies that have not followed it`,
  },
  failedMasters: {
    decode: decodeFailedMaster,
    fix: (removal) => `${removal}, then add that server to its group with ${CONFIG} server add`,
  },
  audit: { decode: decodeAuditPage, fix: (removal) => removal, isMissed: false },
  outages: { decode: decodeOutagePage, fix: (removal) => removal, isMissed: false },
};

/** Every record can be read. */
export function findBadRecords({ tree: { paths, records } }: DecodedTree): Problem[] {
  const folders = RECORD_FOLDERS.map((name) => [`${paths[name]}/`, KINDS[name]] as const);
  const singles = new Map(SINGLE_RECORDS.map((name) => [paths[name] as string, KINDS[name]]));
  return [...records].flatMap(([path, json]) => {
    const kind = singles.get(path) ?? folders.find(([folder]) => path.startsWith(folder))![1];
    try {
      kind.decode(json);
      return [];
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return [problemOf(kind, path, error.message)];
    }
  });
}

function problemOf({ fix, isMissed = true }: RecordKind, path: string, message: string): Problem {
  const text = fix(removalOf(path));
  return removable(
    isMissed ? errorAt(path, message, text) : warningAt(path, message, text, { path }),
  );
}

/**
 * Checks what a change that is not finished has stored.
 *
 * @returns Its value.
 * @throws {RecordError} When it is nothing that a dashboard can finish.
 */
export function checkIntent(json: string): unknown {
  const value = parsed(json);
  if (typeof value === "object" && value !== null) {
    const { kind, change, addr } = value as Record<string, unknown>;
    const { writes, announcements } = (change ?? {}) as Record<string, unknown>;
    if (kind === "change" && Array.isArray(writes) && Array.isArray(announcements)) return value;
    if (kind === "promote" && typeof addr === "string") return value;
    if (kind === "slot_rules") return value;
  }
  throw new RecordError(`unfinished change cannot be read: ${json.slice(0, 80)}`);
}

/** Whether it is a change that a dashboard can finish. */
export function isIntent(json: string): boolean {
  try {
    checkIntent(json);
    return true;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return false;
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function checkCount(text: string): void {
  if (!/^\d{0,15}$/.test(text)) throw new RecordError(`not a number: ${text.slice(0, 80)}`);
}
