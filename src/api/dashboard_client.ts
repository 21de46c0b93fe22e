/**
 * A client of the dashboard's whole HTTP API, one method for each endpoint.
 *
 *     method ── request, token ──► dashboard ── 200 ──► answer, checked
 *                    ▲                 ├── refuses connections, or nobody leads: it may be starting
 *                    └─────────────────┘
 *                                      ├── 503 + leader ──► the same to the leader, once
 *                                      ├── anything else ──► DashboardError
 *                                      └── nothing ──► DashboardUnreachableError
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { type Address, formatAddress, parseAddress } from "../base/address.ts";
import type { Secret } from "../base/secret.ts";
import type { GroupRecord } from "../model/group.ts";
import type { MigrateTaskRecord } from "../model/migrate_task.ts";
import { PROXY_SHAPE, type ProxyRecord, type ProxyState } from "../model/proxy.ts";
import { RecordError, type Shape } from "../model/record.ts";
import type { ServerType } from "../model/server.ts";
import type { SlotRecord } from "../model/slot.ts";
import {
  ANSWER_SHAPES,
  type CancelMode,
  type CheckAnswer,
  type DoneAnswer,
  type GroupSlotKeysAnswer,
  type MigrateBody,
  type MigrateStatusAnswer,
  type OverviewAnswer,
  type QueuedAnswer,
  type RebalanceBody,
  type RebalancePlanAnswer,
  type SlotKeysAnswer,
  type SlotRangeBody,
} from "./answers.ts";
import type { ClusterView } from "./cluster_view.ts";
import {
  DashboardError,
  DashboardUnreachableError,
  readDashboardRefusal,
} from "./dashboard_errors.ts";

/** Longest time that a read may take, in milliseconds. */
const READ_MS = 10_000;
/** Longest time that a change may take, in milliseconds: proxies have 30 s to confirm each step. */
const CHANGE_MS = 120_000;
/** Time between two tries while a dashboard may be starting, in milliseconds. */
const STARTING_POLL_MS = 200;
/** HTTP's word for a dashboard that stands by, or is about to lead. */
const UNAVAILABLE = 503;
/** Longest piece of an answer that a message quotes, in characters. */
const QUOTE_MAX = 80;

/** Where the dashboard is, and what it lets us do. */
export interface DashboardAccess {
  readonly address: Address;
  /** Token of changes; not set: none is sent. */
  readonly token: Secret;
  /** Longest time that a read may take, in milliseconds. @default 10000 */
  readonly readMs?: number;
  /** Longest time that a change may take, in milliseconds. @default 120000 */
  readonly changeMs?: number;
  /**
   * How long a dashboard may take that is just starting, in milliseconds: until it has answered once, it
   * is asked again while it refuses connections or stands by. @default 0
   */
  readonly startMs?: number;
}

/** What is asked of the dashboard. */
interface Question<T> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly shape: Shape<T>;
  readonly timeoutMs: number;
  readonly isChange: boolean;
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

/**
 * See the header.
 *
 * Every method rejects with {@linkcode DashboardError} when the dashboard refuses, and with
 * {@linkcode DashboardUnreachableError} when no usable answer comes within the time that reads and
 * changes have. An answer is what the dashboard sent, checked for the fields that its type has.
 */
export class DashboardClient {
  readonly #token: Secret;
  readonly #readMs: number;
  readonly #changeMs: number;
  readonly #startMs: number;
  /** Who is asked: the address that was given, or the leader it named. */
  #address: Address;
  /** Whether it has answered. */
  #isUp = false;

  /** Connects nothing yet. */
  constructor(access: DashboardAccess) {
    this.#address = access.address;
    this.#token = access.token;
    this.#readMs = access.readMs ?? READ_MS;
    this.#changeMs = access.changeMs ?? CHANGE_MS;
    this.#startMs = access.startMs ?? 0;
  }

  /** Who is asked, `host:port`. */
  get address(): string {
    return formatAddress(this.#address);
  }

  // -- the cluster --

  /** Product, requests per second, INFO of every master. */
  overview(): Promise<OverviewAnswer> {
    return this.#read("/api/overview", ANSWER_SHAPES.overview);
  }

  /** The whole cluster at this moment. */
  cluster(): Promise<ClusterView> {
    return this.#read("/api/cluster", ANSWER_SHAPES.cluster);
  }

  /** What is wrong with what is stored. */
  check(): Promise<CheckAnswer> {
    return this.#read("/api/check", ANSWER_SHAPES.check);
  }

  /** Finds out whether the token is the right one; changes nothing. */
  login(): Promise<DoneAnswer> {
    return this.#change("POST", "/api/login");
  }

  // -- groups and servers --

  /** Every group; `null` when there is none. */
  groups(): Promise<readonly GroupRecord[] | null> {
    return this.#read("/api/server_groups", ANSWER_SHAPES.groups);
  }

  /** One group. */
  group(groupId: number): Promise<GroupRecord> {
    return this.#read(`/api/server_group/${groupId}`, ANSWER_SHAPES.group);
  }

  /** Makes a group without servers. */
  addGroup(groupId: number): Promise<DoneAnswer> {
    return this.#change("PUT", "/api/server_groups", { id: groupId });
  }

  /** Removes a group and its servers. */
  removeGroup(groupId: number): Promise<DoneAnswer> {
    return this.#change("DELETE", `/api/server_group/${groupId}`);
  }

  /** Adds a server to a group, which is made when it is not there. */
  addServer(
    groupId: number,
    addr: string,
    type: ServerType,
    force = false,
  ): Promise<DoneAnswer> {
    const body = { type, group_id: -1, addr, ...(force ? { force } : {}) };
    return this.#change("PUT", `/api/server_group/${groupId}/addServer`, body);
  }

  /** Removes a server from a group. */
  removeServer(groupId: number, addr: string): Promise<DoneAnswer> {
    return this.#change("PUT", `/api/server_group/${groupId}/removeServer`, { addr });
  }

  /** Makes a server the master of its group; with `force` even if it lags behind. */
  promoteServer(groupId: number, addr: string, force = false): Promise<DoneAnswer> {
    const body = { addr, group_id: groupId, ...(force ? { force } : {}) };
    return this.#change("POST", `/api/server_group/${groupId}/promote`, body);
  }

  /** Queues what empties a group, so that it can be removed. */
  drainGroup(groupId: number, request: Pick<RebalanceBody, "delay">): Promise<QueuedAnswer> {
    return this.#queue(`/api/server_group/${groupId}/drain`, request);
  }

  /** What {@linkcode DashboardClient.drainGroup} would queue. */
  planDrain(groupId: number): Promise<RebalancePlanAnswer> {
    return this.#plan(`/api/server_group/${groupId}/drain`, {});
  }

  /** INFO of a server, and its `maxmemory`. */
  redisStat(addr: string): Promise<Readonly<Record<string, string>>> {
    return this.#read(`/api/redis/${segmentOf(addr)}/stat`, ANSWER_SHAPES.redisStat);
  }

  /** How many keys of a slot a server has. */
  slotKeys(addr: string, slotId: number): Promise<SlotKeysAnswer> {
    const path = `/api/redis/${segmentOf(addr)}/${slotId}/slotinfo`;
    return this.#read(path, ANSWER_SHAPES.slotKeys);
  }

  /** How many keys of a slot a group's master has. */
  groupSlotKeys(groupId: number, slotId: number): Promise<GroupSlotKeysAnswer> {
    const path = `/api/redis/group/${groupId}/${slotId}/slotinfo`;
    return this.#read(path, ANSWER_SHAPES.groupSlotKeys);
  }

  // -- slots --

  /** Every slot that is stored, in no order. */
  slots(): Promise<readonly SlotRecord[] | null> {
    return this.#read("/api/slots", ANSWER_SHAPES.slots);
  }

  /** One slot. */
  slot(slotId: number): Promise<SlotRecord> {
    return this.#read(`/api/slot/${slotId}`, ANSWER_SHAPES.slot);
  }

  /** Makes all slots, owned by nobody; with `force` also when there are some. */
  initSlots(force: boolean): Promise<DoneAnswer> {
    return this.#change("POST", `/api/slots/init${force ? "?is_force=1" : ""}`);
  }

  /** Gives slots that nobody serves to a group. */
  setSlots(range: SlotRangeBody): Promise<DoneAnswer> {
    return this.#change("POST", "/api/slot", range);
  }

  // -- migration --

  /** The slots that are on their way. */
  migrateStatus(): Promise<MigrateStatusAnswer> {
    return this.#read("/api/migrate/status", ANSWER_SHAPES.migrateStatus);
  }

  /** Every migration task, oldest first. */
  migrateTasks(): Promise<readonly MigrateTaskRecord[] | null> {
    return this.#read("/api/migrate/tasks", ANSWER_SHAPES.migrateTasks);
  }

  /** Queues one task for each slot; does not wait for them. */
  migrate(request: MigrateBody): Promise<DoneAnswer> {
    return this.#change("POST", "/api/migrate", request);
  }

  /** Cancels one task: a pending one goes, a running one is moved back unless it is nearly done. */
  cancelTask(name: string, mode?: CancelMode): Promise<DoneAnswer> {
    const body = mode === undefined ? undefined : { mode };
    return this.#change("DELETE", `/api/migrate/tasks/${encodeURIComponent(name)}`, body);
  }

  /** Cancels every task. */
  cancelTasks(mode?: CancelMode): Promise<DoneAnswer> {
    return this.#change("POST", "/api/migrate/cancel", mode === undefined ? undefined : { mode });
  }

  /** Queues what spreads the slots evenly; does not wait for it. */
  rebalance(request: RebalanceBody): Promise<QueuedAnswer> {
    return this.#queue("/api/rebalance", request);
  }

  /** What {@linkcode DashboardClient.rebalance} would queue. */
  planRebalance(request: RebalanceBody): Promise<RebalancePlanAnswer> {
    return this.#plan("/api/rebalance", request);
  }

  /** Lets migrations rest, or go on. */
  setMigrationsPaused(isPaused: boolean): Promise<DoneAnswer> {
    return this.#change("POST", `/api/migrate/${isPaused ? "pause" : "resume"}`);
  }

  #queue(path: string, request: RebalanceBody): Promise<QueuedAnswer> {
    return this.#ask({
      method: "POST",
      path,
      body: Object.keys(request).length === 0 ? undefined : request,
      shape: ANSWER_SHAPES.queued,
      timeoutMs: this.#changeMs,
      isChange: true,
    });
  }

  #plan(path: string, request: RebalanceBody): Promise<RebalancePlanAnswer> {
    return this.#ask({
      method: "POST",
      path,
      body: { dry_run: true, ...request },
      shape: ANSWER_SHAPES.rebalancePlan,
      timeoutMs: this.#changeMs,
      isChange: false,
    });
  }

  // -- proxies --

  /** Every registered proxy. */
  proxies(): Promise<readonly ProxyRecord[] | null> {
    return this.#read("/api/proxy/list", ANSWER_SHAPES.proxies);
  }

  /** `/debug/vars` of every proxy, by its id. */
  proxyDebugVars(): Promise<Readonly<Record<string, unknown>>> {
    return this.#read("/api/proxy/debug/vars", ANSWER_SHAPES.debugVars);
  }

  /**
   * Changes a proxy's state, asking as Codis 2.0's proxies do: by a proxy record of which only id and
   * state are filled.
   */
  setProxyState(proxyId: string, state: ProxyState): Promise<DoneAnswer> {
    const record: ProxyRecord = {
      id: proxyId,
      addr: "",
      last_event: "",
      last_event_ts: 0,
      state,
      description: "",
      debug_var_addr: "",
      pid: 0,
      start_at: "",
    };
    return this.#change("POST", "/api/proxy", PROXY_SHAPE.write(record));
  }

  // -- actions --

  /** Removes old actions: all but the newest `keep`, or those older than `secs` seconds. */
  gcActions(bound: { readonly keep: number } | { readonly secs: number }): Promise<DoneAnswer> {
    const query = "keep" in bound ? `keep=${bound.keep}` : `secs=${bound.secs}`;
    return this.#change("GET", `/api/action/gc?${query}`);
  }

  /** Takes the product's lock away from whoever has it. */
  removeLocks(): Promise<DoneAnswer> {
    return this.#change("GET", "/api/force_remove_locks");
  }

  /** Removes the fences behind which no proxy is online. */
  removeFences(): Promise<DoneAnswer> {
    return this.#change("GET", "/api/remove_fence");
  }

  // -- the wire --

  #read<T>(path: string, shape: Shape<T>): Promise<T> {
    const question = { method: "GET", path, shape, timeoutMs: this.#readMs } as const;
    return this.#ask({ ...question, isChange: false });
  }

  #change(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown) {
    const shape = ANSWER_SHAPES.done;
    return this.#ask({ method, path, body, shape, timeoutMs: this.#changeMs, isChange: true });
  }

  async #ask<T>(question: Question<T>): Promise<T> {
    const reply = await this.#sendPatiently(question);
    this.#isUp = true;
    if (isUnknownToCodis2(reply)) {
      const what = `${question.method} ${question.path}`;
      throw new DashboardUnreachableError(
        "garbled",
        `${this.address} does not know ${what}: it is Codis 2.0's dashboard, or none; stop it, and ` +
          "start `codis-proxy dashboard`",
      );
    }
    if (reply.status !== 200) {
      throw new DashboardError(readDashboardRefusal(reply.status, reply.text));
    }
    return this.#readAnswer(question, reply.text);
  }

  /** Sends a request, until it has come to a dashboard, or none can be expected to start any more. */
  async #sendPatiently(question: Question<unknown>): Promise<Reply> {
    const given = this.#address;
    const endMs = performance.now() + this.#startMs;
    for (;;) {
      const mayBeStarting = !this.#isUp && performance.now() < endMs;
      try {
        const reply = await this.#sendToLeader(question);
        if (reply.status !== UNAVAILABLE || !mayBeStarting) return reply;
      } catch (error) {
        if (!mayBeStarting || !isRefused(error)) throw error;
      }
      this.#address = given;
      await delay(STARTING_POLL_MS);
    }
  }

  async #sendToLeader(question: Question<unknown>): Promise<Reply> {
    const reply = await this.#send(question);
    const leader = this.#leaderIn(reply);
    if (leader === undefined) return reply;
    this.#address = leader;
    return await this.#send(question);
  }

  /** Where a dashboard that stands by sends us, unless it is where we have just been. */
  #leaderIn({ status, text }: Reply): Address | undefined {
    if (status !== UNAVAILABLE) return undefined;
    const { leader } = readDashboardRefusal(status, text);
    if (leader === undefined || leader === this.address) return undefined;
    try {
      return parseAddress(leader);
    } catch {
      return undefined;
    }
  }

  async #send({ method, path, body, timeoutMs, isChange }: Question<unknown>): Promise<Reply> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["content-type"] = "application/json";
    if (this.#token.isSet) headers["authorization"] = `Bearer ${this.#token.reveal()}`;
    try {
      const response = await fetch(`http://${this.address}${path}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        // A dashboard does not redirect what we ask; whatever does is none.
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      const who = `dashboard ${this.address}`;
      if (error instanceof DOMException && error.name === "TimeoutError") {
        const doubt = isChange ? "; whether it was done is not known" : "";
        const what = `${method} ${path} within ${timeoutMs / 1000} s`;
        throw new DashboardUnreachableError("silent", `${who} did not answer ${what}${doubt}`);
      }
      const message = `${who} cannot be reached: ${reasonIn(error)}`;
      throw new DashboardUnreachableError("unreachable", message, { cause: error });
    }
  }

  #readAnswer<T>({ method, path, shape }: Question<T>, text: string): T {
    try {
      const answer: unknown = JSON.parse(text);
      shape.read(answer, "answer");
      return answer as T;
    } catch (error) {
      const quote = text.length <= QUOTE_MAX ? text : `${text.slice(0, QUOTE_MAX)}…`;
      const reason = error instanceof RecordError ? error.message : `not JSON: ${quote.trim()}`;
      throw new DashboardUnreachableError(
        "garbled",
        `${this.address} does not answer ${method} ${path} as a dashboard does: ${reason}`,
      );
    }
  }
}

/** Whether it is the answer of Codis 2.0's dashboard to what came after it. */
function isUnknownToCodis2({ status, text }: Reply): boolean {
  return status === 404 && text.trim() === "404 page not found";
}

/** Whether nobody listens: then nothing of the request was heard. */
function isRefused(error: unknown): boolean {
  return error instanceof DashboardUnreachableError && error.reason === "unreachable" &&
    error.message.endsWith("connection refused");
}

/** An address as one piece of a path; the colon stays, as every dashboard expects it. */
function segmentOf(addr: string): string {
  return encodeURIComponent(addr).replaceAll("%3A", ":");
}

/** What the system said, without what fetch wraps around it. */
function reasonIn(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/ \(os error \d+\)/g, "").split(": ").at(-1)!.toLowerCase();
}
