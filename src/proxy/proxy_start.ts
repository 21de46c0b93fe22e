/**
 * What a proxy is started with, and what it is then.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { Metric } from "../base/prometheus.ts";
import type { Config } from "../config/config.ts";
import type { RunningConfig } from "../config/running.ts";
import type { TlsIdentity, TlsToServers } from "../io/tls.ts";
import type { Identify } from "../store/bootstrap.ts";
import type { Store } from "../store/store.ts";

/** The configuration and the addresses of the command line. */
export interface ProxyStart {
  readonly config: Config;
  /** What `config` is kept in force by. @default it does not change while the proxy runs */
  readonly running?: RunningConfig | undefined;
  /**
   * Where Redis clients connect without TLS; an empty host means every interface, port 0 any free port.
   * `undefined`: only with TLS, at `tls_addr`.
   */
  readonly listen: Address | undefined;
  /** How Redis servers are spoken to with TLS; renewed here when the files change. */
  readonly serverTls?: TlsToServers | undefined;
  /** The certificate of the HTTP endpoint, if it speaks TLS. */
  readonly httpTls?: TlsIdentity | undefined;
  /** Where the HTTP endpoint listens; as `listen`. */
  readonly http: Address;
  /** How many workers serve clients; 1 serves in this very thread. */
  readonly workers: number;
  /** Asks a Redis server who it is; left out: it is not asked. */
  readonly identify?: Identify;
  /** Ends the proxy in order, also while it starts; its reason is a text for the log. */
  readonly signal?: AbortSignal | undefined;
  /** Ends it at once, while it lets clients go. */
  readonly hurry?: AbortSignal | undefined;
  /** Whether it takes over from a process with the same id, if there is one. @default no */
  readonly takeOver?: boolean;
  /** The dashboard that the process serves on its HTTP address, where it is a whole system. */
  readonly attach?: AttachableService | undefined;
}

/** Where a service is attached. */
export interface AttachedPlace {
  readonly store: Store;
  /** Where the HTTP endpoint listens; an empty host means every interface. */
  readonly address: Address;
}

/** A service that can be attached. */
export interface AttachableService {
  /**
   * Loads it. Deno panics where it loads a program and no descriptor is left, so where clients may take all of them
   * it is loaded before they come.
   */
  load(): Promise<unknown>;
  /** Loads it, where that was not done before, and starts it. */
  open(place: AttachedPlace): Promise<AttachedService>;
}

/** A service that answers on the proxy's HTTP address what the proxy itself does not. */
export interface AttachedService {
  /** `remote` is the address that the request came from, without port. */
  answer(request: Request, remote: string): Promise<Response>;
  /** What it measures, for the metrics of the process. */
  metrics(): Metric[];
  /** Ends it, before the proxy's coordinator is closed. */
  stop(): Promise<void>;
}

/** A proxy that serves. */
export interface RunningProxy {
  /** Where Redis clients connect; with TLS, if they can only do so with TLS. */
  readonly address: Deno.NetAddr;
  /** Where the HTTP endpoint listens. */
  readonly httpAddress: Deno.NetAddr;
  /** Settles when the proxy accepts clients with all slots loaded for the first time. */
  readonly serving: Promise<void>;
  /** Settles when the proxy has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
  /** Opens the access log again, after it was moved away. */
  reopenAccessLog(): void;
  /**
   * Stops: no new clients, requests in flight finished within a bound, then out of the store.
   *
   * @param isGentle Whether clients that are in the middle of something get `drain_timeout`; a later call that
   * is not gentle ends that.
   */
  stop(reason: string, isGentle?: boolean): Promise<void>;
}
