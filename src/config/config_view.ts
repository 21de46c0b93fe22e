/**
 * The configuration of a running process and its changes, as JSON: what `GET /api/config` and `POST /api/reload` of
 * proxies and dashboards answer.
 *
 * @module
 */

import type { ConfigChange } from "./difference.ts";
import type { ConfigSource } from "./lines.ts";
import type { ConfigOutcome, RunningConfig } from "./running.ts";
import { isSecretKey } from "./secrets.ts";
import { describeConfigRule } from "./value.ts";

/** `GET /api/config`. */
export interface ConfigView {
  readonly process: "proxy" | "dashboard";
  /** As `-c` named it. */
  readonly file: string;
  readonly version: string;
  readonly pid: number;
  /** When what is in force was read, in Unix milliseconds. */
  readonly loaded_at: number;
  /** The last reload; null: none yet. */
  readonly reload: {
    readonly at: number;
    readonly ok: boolean;
    readonly by: string;
    readonly error: string;
  } | null;
  readonly keys: readonly ConfigKeyView[];
}

/** A key of the configuration. */
export interface ConfigKeyView {
  readonly key: string;
  /** As config.ini spells it; of a secret `***`, or empty when it is not set. */
  readonly value: string;
  readonly default: string;
  /** `config.ini:12`, `default`, … */
  readonly from: string;
  readonly source: ConfigSource | "default";
  readonly reload: "live" | "while_set" | "restart";
  readonly help: string;
  readonly rule: string;
  readonly is_secret: boolean;
  /** What it is after a restart, if it is another value. */
  readonly waits?: { readonly value: string; readonly from: string };
}

/** `POST /api/reload`, and with `dry_run=yes` what it would do. */
export interface ReloadAnswer extends ConfigOutcome {
  readonly ok: true;
  readonly dry_run: boolean;
}

/** What runs. */
type Process = Pick<ConfigView, "process" | "version">;

/** The configuration of a process as it is in force. */
export function configView(running: RunningConfig, { process, version }: Process): ConfigView {
  const { lastReload } = running;
  return {
    process,
    file: running.path,
    version,
    pid: Deno.pid,
    loaded_at: running.loadedMs,
    reload: lastReload === undefined ? null : {
      at: lastReload.atMs,
      ok: lastReload.error === "",
      by: lastReload.by,
      error: lastReload.error,
    },
    keys: running.keys().map(({ row, value, at, source, waits }) => ({
      key: row.key,
      value,
      default: row.default,
      from: at,
      source,
      reload: row.reload ?? "restart",
      help: row.help,
      rule: describeConfigRule(row),
      is_secret: isSecretKey(row) || row.kind === "users",
      ...waits === undefined ? {} : { waits: waitingView(waits) },
    })),
  };
}

function waitingView({ to, at }: ConfigChange): { value: string; from: string } {
  return { value: to, from: at };
}

/** The answer to a request to reload. */
export function reloadAnswer(outcome: ConfigOutcome, isDryRun: boolean): ReloadAnswer {
  return { ok: true, dry_run: isDryRun, ...outcome };
}
