/**
 * How a running proxy takes other settings: what can fail is done first, and changes nothing.
 *
 *      prepare: certificates read, users read, room for clients counted ─► put: all workers have them
 *
 * @module
 */

import type { UserRecord } from "../acl/user.ts";
import { type AccessPolicy, policyNames } from "../api/auth.ts";
import type { Config } from "../config/config.ts";
import type { ConfiguredPart, RunningConfig } from "../config/running.ts";
import { backendTlsFiles, clientTlsFiles, httpTlsFiles } from "../config/tls.ts";
import type { TlsIdentity } from "../io/tls.ts";
import { readTlsFiles, type TlsFiles, TlsWatch } from "../io/tls_files.ts";
import { type ConfigOrder, fixedConfig } from "../router/worker_context.ts";
import type { ProxyStart } from "./proxy_start.ts";
import { routerOptions } from "./router_options.ts";
import { clientsThatFit, httpNamesOf } from "./start_plan.ts";
import { readUsers } from "./users.ts";
import { VERSION } from "./version.ts";
import type { DataPlane, ListenPlace } from "./workers/data_plane.ts";

/** What belongs to the running proxy. */
export interface ConfiguredProxyOptions {
  readonly start: ProxyStart;
  readonly plane: DataPlane;
  readonly place: ListenPlace;
  /** As many as there are descriptors for. */
  readonly clientsMax: number;
  readonly policy: AccessPolicy;
  /** Uses another certificate for HTTP. */
  renewHttp(identity: TlsIdentity): void;
  /** The default user's passwords are others; those of users in the store count more. */
  passwordsChanged(): Promise<void>;
}

/** Files of certificates, and who watches them. */
interface WatchedFiles {
  filesOf(config: Config): TlsFiles | undefined;
  readonly watch: TlsWatch;
}

/** Keys about users that log in. */
const USER_KEYS = ["user.NAME", "aclfile"];
/** Keys by which clients and servers are met with TLS otherwise, with the same certificates. */
const CLIENT_TLS = "tls_auth_clients";
const SERVER_TLS = "backend_tls_server_name";

/** See the header. Disposing ends its watches. */
export class ConfiguredProxy implements ConfiguredPart, Disposable {
  /** Most clients that are served at one time. */
  clientsMax: number;
  readonly #options: ConfiguredProxyOptions;
  readonly #watched: readonly WatchedFiles[];

  constructor(options: ConfiguredProxyOptions, clients: TlsIdentity | undefined) {
    const { start: { config, httpTls, serverTls }, plane, renewHttp } = options;
    this.#options = options;
    this.clientsMax = options.clientsMax;
    const watch = (
      filesOf: (config: Config) => TlsFiles | undefined,
      first: TlsIdentity | undefined,
      renew: (identity: TlsIdentity) => void,
    ): WatchedFiles[] => {
      const files = filesOf(config);
      if (files === undefined || first === undefined) return [];
      return [{ filesOf, watch: new TlsWatch(files, first, renew) }];
    };
    // What the settings say beside the certificates is looked up when they change.
    this.#watched = [
      ...watch(
        clientTlsFiles,
        clients,
        (identity) => plane.setClientTls({ identity, certificates: config.tlsAuthClients }),
      ),
      ...watch(
        backendTlsFiles,
        serverTls?.identity,
        (identity) => plane.setServerTls({ identity, serverName: config.backendTlsServerName }),
      ),
      ...watch(httpTlsFiles, httpTls, renewHttp),
    ];
  }

  async prepare(next: Config, changed: ReadonlySet<string>): Promise<() => Promise<void>> {
    const { start, plane, place, policy, passwordsChanged } = this.#options;
    const tls = await Promise.all(this.#watched.map(async ({ filesOf, watch }) => {
      const files = filesOf(next)!;
      return { watch, files, identity: await readTlsFiles(files) };
    }));
    const isOfUsers = USER_KEYS.some((key) => changed.has(key));
    const users = isOfUsers ? await this.#readUsers(next, changed) : undefined;
    const sessions = changed.has("max_clients") ? (await plane.stats()).sum.sessions : 0;
    const maxClients = changed.has("max_clients")
      ? clientsThatFit({ ...start, config: next }, sessions).clients
      : this.clientsMax;
    return async () => {
      const isOtherwise = changed.has(CLIENT_TLS) || changed.has(SERVER_TLS);
      for (const { watch, files, identity } of tls) watch.take(files, identity, isOtherwise);
      this.clientsMax = maxClients;
      policy.hostnames = policyNames(start.http.hostname, httpNamesOf(next));
      if (changed.size > 0) {
        const router = routerOptions({ ...next, maxClients }, VERSION, place.sockets);
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
    for (const { watch } of this.#watched) watch[Symbol.dispose]();
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
