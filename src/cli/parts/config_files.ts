/**
 * The files that a configuration names: what can be wrong with them is said before a process works with them.
 *
 * @module
 */

import { dirname } from "node:path";
import { excerpt } from "../../base/excerpt.ts";
import { fileFault } from "../../base/file_fault.ts";
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

/**
 * Looks for the places where the process will write; what is made for that is removed at once.
 *
 * @throws {KeyError} When a file has no folder, which nobody makes, or when nothing can be written in a place.
 */
export async function findFolders(config: Config, isProxy: boolean): Promise<void> {
  const { logFile, accessLog, auditLog, embeddedDir, historyDir, failoverLostWritesDir } = config;
  const isDashboard = !isProxy || isDashboardInside(config);
  const files = [
    ["log_file", logFile, logFile !== "" && logFile !== "-"],
    ["access_log", accessLog, isProxy && isAccessFile(accessLog)],
    ["audit_log", auditLog, isDashboard && auditLog !== ""],
  ] as const;
  for (const [key, path] of files.filter(([, , isWritten]) => isWritten)) {
    await named(key, path, async () => {
      const folder = dirname(path);
      if (!await isFolder(folder)) throw new Error(`no folder "${excerpt(folder)}"`);
      // The others are files with numbers, one after the other.
      const isThere = key === "audit_log" && await isFolder(path) !== undefined;
      await (isThere ? openForMore(path) : makeFile(folder));
    });
  }
  // Who opens a store that is there tells what is wrong with it.
  const isMade = config.coordinator === "embedded" &&
    await isFolder(embeddedDir).catch(() => true) === undefined;
  const folders = [
    ["embedded_dir", embeddedDir, isMade],
    ["history_dir", historyDir, isDashboard && historyDir !== ""],
    [
      "failover_lost_writes_dir",
      failoverLostWritesDir,
      isDashboard && failoverLostWritesDir !== "",
    ],
  ] as const;
  for (const [key, path] of folders.filter(([, , isWritten]) => isWritten)) {
    await named(key, path, async () => await makeFile(await folderAbove(path)));
  }
}

async function named(key: string, path: string, look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    // Without the call and its file, which are told.
    const reason = fileFault(error).replace(/( \(os error \d+\)): .*$/, "$1");
    throw new KeyError(key, path, reason);
  }
}

/** Whether a folder is there; undefined: nothing is. Throws the system's error when that cannot be told. */
async function isFolder(path: string): Promise<boolean | undefined> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A folder that is made when it is needed, or the one above it that is there. */
async function folderAbove(path: string): Promise<string> {
  for (let at = path;; at = dirname(at)) {
    const isThere = await isFolder(at);
    if (isThere) return at;
    if (isThere === undefined && dirname(at) !== at) continue;
    throw new Error(at === path ? "this is no folder" : `"${excerpt(at)}" is no folder`);
  }
}

/** Rights alone do not tell whether that can be done: a file system may be read-only. */
async function makeFile(dir: string): Promise<void> {
  try {
    await Deno.remove(await Deno.makeTempFile({ dir, prefix: ".codis-proxy-check-" }));
  } catch (error) {
    throw new Error(`no file can be made in "${excerpt(dir)}": ${fileFault(error)}`);
  }
}

async function openForMore(path: string): Promise<void> {
  try {
    (await Deno.open(path, { append: true })).close();
  } catch (error) {
    throw new Error(`this cannot be written to: ${fileFault(error)}`);
  }
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
