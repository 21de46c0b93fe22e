/**
 * How a running proxy takes other settings: what can fail is done first, and changes nothing.
 *
 *      prepare: certificates read, users read, room for clients counted ─► put: all workers have them
 *
 * @module
 */

import type { UserRecord } from "../acl/user.ts";
import { type AccessPolicy, policyNames } from "../api/auth.ts";
import { logger } from "../base/log.ts";
import type { Config } from "../config/config.ts";
import type { ConfiguredPart, RunningConfig } from "../config/running.ts";
import { backendTlsFiles, clientTlsFiles, httpTlsFiles } from "../config/tls.ts";
import type { TlsIdentity } from "../io/tls.ts";
import { type ConfigOrder, fixedConfig } from "../router/worker_context.ts";
import type { AccessLog } from "./access_log.ts";
import { type ClientRoom, clientsThatFit, restThatFits } from "./client_room.ts";
import type { ProxyStart } from "./proxy_start.ts";
import { optionsThatFit } from "./router_options.ts";
import { httpNamesOf } from "./start_plan.ts";
import { readUsers } from "./users.ts";
import { WatchedTls } from "./watched_tls.ts";
import type { DataPlane, ListenPlace } from "./workers/data_plane.ts";

/** What belongs to the running proxy. */
export interface ConfiguredProxyOptions {
  readonly start: ProxyStart;
  readonly plane: DataPlane;
  readonly place: ListenPlace;
  readonly accessLog: AccessLog | undefined;
  /** As many clients as there are descriptors for. */
  readonly room: ClientRoom;
  readonly policy: AccessPolicy;
  /** Uses another certificate for HTTP. */
  renewHttp(identity: TlsIdentity): void;
  /** The default user's passwords are others; those of users in the store count more. */
  passwordsChanged(): Promise<void>;
}

const log = logger("proxy");

/** Keys about users that log in. */
const USER_KEYS = ["user.NAME", "aclfile"];

/** See the header. Disposing ends its watches. */
export class ConfiguredProxy implements ConfiguredPart, Disposable {
  readonly #options: ConfiguredProxyOptions;
  readonly #tls: WatchedTls;
  #room: ClientRoom;
  /** Settles when all descriptors are counted. */
  #counted: Promise<void> | undefined;

  constructor(options: ConfiguredProxyOptions, clients: TlsIdentity | undefined) {
    const { start: { config, httpTls, serverTls }, plane, renewHttp } = options;
    this.#options = options;
    this.#room = options.room;
    this.#tls = new WatchedTls(config, [
      {
        ...{ filesOf: clientTlsFiles, first: clients, key: "tls_auth_clients" },
        renew: (identity) => plane.setClientTls({ identity, certificates: config.tlsAuthClients }),
      },
      {
        filesOf: backendTlsFiles,
        ...{ first: serverTls?.identity, key: "backend_tls_server_name" },
        renew: (identity) =>
          plane.setServerTls({ identity, serverName: config.backendTlsServerName }),
      },
      { filesOf: httpTlsFiles, first: httpTls, renew: renewHttp },
    ]);
  }

  /** Most clients that are served at one time. */
  get clientsMax(): number {
    return this.#room.clients;
  }

  /** Clients are accepted: counts the descriptors that were not counted before, once. */
  countRest(): void {
    const { start, room } = this.#options;
    if (room.isAll) return;
    this.#counted ??= restThatFits(start, () => this.#connected(), (found) => this.#use(found))
      .catch((error) => log.error("room for clients cannot be counted: {error}", { error }));
  }

  async #use(room: ClientRoom): Promise<void> {
    const { start, plane, place } = this.#options;
    const config = start.running?.config ?? start.config;
    this.#room = room;
    const router = optionsThatFit(config, room, place.sockets);
    await plane.set({ router, keepAliveMs: config.backendPingPeriodMs });
  }

  /** Descriptors that clients have. */
  async #connected(): Promise<number> {
    const { sessions, clientHandles } = (await this.#options.plane.stats()).sum;
    return sessions + clientHandles;
  }

  async prepare(
    next: Config,
    changed: ReadonlySet<string>,
    isReload: boolean,
  ): Promise<() => Promise<void>> {
    const { start, plane, place, accessLog, policy, passwordsChanged } = this.#options;
    const tls = await this.#tls.prepare(next, changed, isReload);
    const isOfUsers = USER_KEYS.some((key) => changed.has(key));
    const users = isOfUsers ? await this.#readUsers(next, changed) : undefined;
    await this.#counted;
    const room = changed.has("max_clients")
      ? clientsThatFit({ ...start, config: next }, await this.#connected())
      : undefined;
    return async () => {
      tls();
      accessLog?.limitTo(next);
      // What it still finds is of the configuration before this one.
      await this.#counted;
      if (room !== undefined) {
        this.#counted ??= Promise.resolve();
        this.#room = room;
      }
      policy.hostnames = policyNames(start.http.hostname, httpNamesOf(next));
      if (changed.size > 0) {
        const router = optionsThatFit(next, this.#room, place.sockets);
        await plane.set({ router, keepAliveMs: next.backendPingPeriodMs });
      }
      if (changed.has("log_level")) plane.setLogLevel(next.logLevel);
      await users?.();
      if (changed.has("password")) await passwordsChanged();
    };
  }

  /** Reads users of a configuration that has others than the one in force; returns what puts them into force. */
  async #readUsers(next: Config, changed: ReadonlySet<string>): Promise<() => Promise<void>> {
    const { start: { config }, plane: { users } } = this.#options;
    const { users: records, source } = await readUsers(next);
    if (changed.has("aclfile")) {
      return async () => {
        users.source = source;
        await users.replaceAll(records);
      };
    }
    const before = new Set(config.users.map(({ name }) => name));
    return () => users.replaceAll(mergeUsers(users.users.records(), before, records));
  }

  [Symbol.dispose](): void {
    this.#tls[Symbol.dispose]();
  }
}

/**
 * The users with other lines in the configuration.
 *
 * @param now All that there are, also those that clients have made.
 * @param before The names that had lines until now.
 * @param lines What the lines say now.
 */
function mergeUsers(
  now: readonly UserRecord[],
  before: ReadonlySet<string>,
  lines: readonly UserRecord[],
): UserRecord[] {
  const names = new Set(lines.map(({ name }) => name));
  return [...now.filter(({ name }) => !before.has(name) && !names.has(name)), ...lines];
}

/** Makes a change that a client asks for; returns why it cannot be made, empty when it is in force. */
export async function changeConfig(
  running: RunningConfig | undefined,
  order: ConfigOrder,
  by: string,
): Promise<string> {
  if (running === undefined) return fixedConfig(order);
  try {
    await (order.kind === "set" ? running.set(order.pairs, by) : running.rewrite(by));
    return "";
  } catch (error) {
    const { message } = error as Error;
    return order.kind === "set"
      ? message.replace(/^CONFIG SET: /, "")
      : `Rewriting config file: ${message}`;
  }
}
