/**
 * The files that a configuration names: what can be wrong with them is said before a process works with them.
 *
 * @module
 */

import { dirname } from "node:path";
import { excerpt } from "../../base/excerpt.ts";
import { KeyError } from "../../base/key_error.ts";
import type { Config } from "../../config/config.ts";
import type { ConfiguredPart } from "../../config/running.ts";
import { clientTlsFiles } from "../../config/tls.ts";
import { readEtcdTls } from "../../coordinator/open.ts";
import { readTlsFiles } from "../../io/tls_files.ts";
import { isAccessFile } from "../../proxy/access_log.ts";
import { isDashboardInside, webhookAuthority } from "./attached_dashboard.ts";
import { httpIdentity } from "./product_tls.ts";
import { tlsToServers } from "./redis_servers.ts";

/** Read the certificates of one side each; they throw a {@linkcode KeyError} when a file cannot be used. */
export const FILE_CHECKS: readonly ((config: Config) => Promise<unknown>)[] = [
  readForClients,
  tlsToServers,
  httpIdentity,
  readEtcdTls,
];

async function readForClients(config: Config): Promise<void> {
  const files = clientTlsFiles(config);
  if (files !== undefined) await readTlsFiles(files);
}

/** @throws {KeyError} When a file that the process will write has no folder: nobody makes one. */
export async function findFolders(config: Config, isProxy: boolean): Promise<void> {
  const { logFile, accessLog, auditLog, failoverLostWritesDir: kept } = config;
  const isDashboard = !isProxy || isDashboardInside(config);
  const files = [
    ["log_file", logFile, logFile !== "" && logFile !== "-"],
    ["access_log", accessLog, isProxy && isAccessFile(accessLog)],
    ["audit_log", auditLog, isDashboard && auditLog !== ""],
  ] as const;
  for (const [key, path] of files.filter(([, , isWritten]) => isWritten)) {
    const folder = dirname(path);
    if (!await isFolder(folder)) {
      throw new KeyError(key, path, `no folder "${excerpt(folder)}"`);
    }
  }
  // It is made when it is needed.
  if (isDashboard && kept !== "" && await isFolder(kept) === false) {
    throw new KeyError("failover_lost_writes_dir", kept, "this is no folder");
  }
}

/** Whether a folder is there; undefined: nothing is. */
async function isFolder(path: string): Promise<boolean | undefined> {
  return (await Deno.stat(path).catch(() => undefined))?.isDirectory;
}

/**
 * Files that are used from the next start on: a reload refuses those with which that would fail.
 *
 * @param isProxy Whether the process is a proxy; else it is a dashboard.
 */
export function filesOfNextStart(isProxy: boolean): ConfiguredPart {
  return {
    prepare: () => Promise.resolve(() => {}),
    async checkNextStart(wanted) {
      for (const check of FILE_CHECKS) {
        if (isProxy || check !== readForClients) await check(wanted);
      }
      if (!isProxy || isDashboardInside(wanted)) await webhookAuthority(wanted);
      await findFolders(wanted, isProxy);
    },
  };
}
