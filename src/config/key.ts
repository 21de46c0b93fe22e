/**
 * The type of a row in the table of config.ini keys.
 *
 * @module
 */

/** How a value is spelled in config.ini and what it becomes in `Config`. */
export type ConfigKind =
  /** Any text without a rule of its own. */
  | "text"
  /** Text that becomes one piece of a coordinator path: not empty, no `/`. */
  | "name"
  /** Text that is never printed; becomes a `Secret`. */
  | "secret"
  /** A secret that can be sent in an HTTP header. */
  | "token"
  /** An http or https URL that is a secret: whoever knows it may use it. */
  | "secretUrl"
  /** Users by lines of their own, `user.NAME = rules`; the row stands for all of them. */
  | "users"
  /** A folder, which must be named. */
  | "folder"
  /** The name of a zone, or nothing. */
  | "zone"
  /** One of the row's `words`. */
  | "word"
  /** `on` or `off`; becomes a boolean. */
  | "switch"
  /** A whole number. */
  | "count"
  /** A whole number of the row's unit; becomes milliseconds. */
  | "duration"
  /** A number of bytes, K/M/G suffixes allowed; becomes bytes. */
  | "size"
  /** `host:port`. */
  | "address"
  /** `host:port`, or `https://host:port`. */
  | "httpAddress"
  /** `host:port` to listen on: the host may be left out. */
  | "listen"
  /** Comma-separated host names. */
  | "hostnames"
  /** Comma-separated `host:port`, no address twice. */
  | "addresses"
  /** Comma-separated coordinator endpoints, `host`, `host:port` or an http(s) URL. */
  | "endpoints";

/** One row of the table. */
export interface ConfigKey {
  /** As spelled in config.ini. */
  readonly key: string;
  /** The field of `Config` it fills; durations end in `Ms`, sizes in `Bytes`. */
  readonly field: string;
  readonly kind: ConfigKind;
  /**
   * Whether a process takes another value while it runs; `while_set`: only another value, and to set it or to
   * set it no more needs a restart. @default a restart is needed
   */
  readonly reload?: "live" | "while_set";
  /** As it would be written in config.ini; `""` stands for "not set". */
  readonly default: string;
  /** What one unit of the written value is; durations only. */
  readonly unit?: "s" | "ms";
  /** The only values allowed; kind `word` only. */
  readonly words?: readonly string[];
  /** Least value allowed, in the written unit (bytes for sizes). @default 0 */
  readonly min?: number;
  /** Greatest value allowed, in the written unit (bytes for sizes). */
  readonly max?: number;
  /** Must be set when `coordinator` is one of these. */
  readonly requiredBy?: readonly string[];
  /** Whether only a proxy needs it, and neither a dashboard nor the config commands. */
  readonly isOfProxy?: boolean;
  /** What the shipped config.ini sets when that is not the default. */
  readonly sample?: string;
  /** What the shipped config.ini shows behind a `#` when there is no default. */
  readonly example?: string;
  /** One sentence for config.ini and docs/configuration.md. */
  readonly help: string;
}
