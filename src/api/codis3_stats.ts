/**
 * Figures in the form of Codis 3.2, for programs that graph them: what its proxies answer to `GET /proxy/stats`,
 * and its dashboard to `GET /topom/stats`. Fields have the names and the types that they have there; those that
 * mean nothing here are left out.
 *
 * @module
 */

/** One command, as Codis 3.2 counts it; its name in capitals. */
export interface Codis3Command {
  readonly opstr: string;
  readonly calls: number;
  readonly usecs: number;
  readonly usecs_percall: number;
  readonly fails: number;
  readonly redis_errtype: number;
}

/** A proxy. */
export interface Codis3ProxyStats {
  readonly online: boolean;
  readonly closed: boolean;
  readonly ops: {
    readonly total: number;
    /** Requests that the proxy failed itself. */
    readonly fails: number;
    /** Answers that were errors. */
    readonly redis: { readonly errors: number };
    readonly qps: number;
    /** By name; the dashboard leaves it out. */
    readonly cmd?: readonly Codis3Command[];
  };
  readonly sessions: { readonly total: number; readonly alive: number };
  readonly rusage: {
    readonly now: string;
    /** CPU time per time; 1 is one core. */
    readonly cpu: number;
    /** Resident, in bytes. */
    readonly mem: number;
  };
}

/** What has an answer, or none. */
export interface Codis3Answer<T> {
  readonly stats?: T;
  readonly error?: { readonly Cause: string };
  /** When, in seconds. */
  readonly unixtime: number;
}

/** Something that is under way; with nothing: `{}`. */
export interface Codis3Action {
  readonly index?: number;
  readonly state?: string;
  readonly target_id?: number;
}

/** The product. */
export interface Codis3TopomStats {
  readonly closed: boolean;
  readonly slots: readonly {
    readonly id: number;
    /** 0: none. */
    readonly group_id: number;
    readonly action: Codis3Action;
  }[];
  readonly group: {
    readonly models: readonly {
      readonly id: number;
      /** The master first. */
      readonly servers: readonly {
        readonly server: string;
        readonly datacenter: string;
        readonly action: Codis3Action;
        /** Whether reads go to it, as far as clients read from replicas. */
        readonly replica_group: boolean;
      }[];
      readonly promoting: Codis3Action;
      readonly out_of_sync: boolean;
    }[];
    /** INFO, by address. */
    readonly stats: Readonly<Record<string, Codis3Answer<Readonly<Record<string, string>>>>>;
  };
  readonly proxy: {
    readonly models: readonly {
      /** From 1. */
      readonly id: number;
      /** The `proxy_id`. */
      readonly token: string;
      readonly start_time: string;
      readonly admin_addr: string;
      readonly proto_type: string;
      readonly proxy_addr: string;
      readonly product_name: string;
      readonly pid: number;
    }[];
    /** By token. */
    readonly stats: Readonly<Record<string, Codis3Answer<Codis3ProxyStats>>>;
  };
  readonly slot_action: {
    readonly interval: number;
    readonly disabled: boolean;
    readonly progress: { readonly status: string };
    /** Slots that move now. */
    readonly executor: number;
  };
  readonly sentinels: {
    readonly model: { readonly servers?: readonly string[]; readonly out_of_sync: boolean };
    /** The master of each group that sentinels watch. */
    readonly masters: Readonly<Record<string, string>>;
  };
}
