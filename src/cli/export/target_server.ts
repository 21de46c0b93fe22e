/**
 * The server that keys are exported to.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { formatAddress } from "../../base/address.ts";
import { Placement } from "../../hash/placement.ts";
import type { ImportState } from "../../import/import_state.ts";
import type { SourceServer } from "../../import/source/source_address.ts";
import { ChangeError } from "../../import/stream/change_writer.ts";
import type { TlsToServers } from "../../io/tls.ts";
import {
  databasesIn,
  keysIn,
  readInfo,
  readSetting,
  type RedisInfo,
  runIdIn,
} from "../../redis/info.ts";
import { rdbVersionOf } from "../../redis/rdb_version.ts";
import { type Destination, openDestination } from "../import/destination.ts";

/** How often it is looked whether it has started anew. */
const LOOK_MS = 1_000;
/** How many databases a server has that does not say it. */
const DATABASES_DEFAULT = 16;
const NOTE = "target";

/** See the header. */
export interface TargetServer extends Destination {
  /** New with each start. */
  readonly runId: string;
}

/**
 * Asks it.
 *
 * @throws {Error} When it cannot be reached, or is no single server that takes writes.
 */
export async function readTargetServer(
  name: string,
  { address, user, password }: SourceServer,
  placement: Placement,
  tls: TlsToServers | undefined,
): Promise<TargetServer> {
  const access = {
    ...{ what: "target", user, password, tls } as const,
    addresses: () => Promise.resolve([address]),
  };
  using redis = await openDestination({ access });
  const info = await readInfo(redis);
  checkKind(formatAddress(address), info);
  return {
    ...{ name, title: "the target", access, placement },
    servers: {
      ...{ version: info["redis_version"] ?? "", rdbVersion: rdbVersionOf(info) },
      databases: Number(await readSetting(redis, "databases") ?? DATABASES_DEFAULT),
    },
    keys: keysIn(info),
    databases: async () => {
      using redis = await openDestination({ access });
      return databasesIn(await readInfo(redis)).map(({ database }) => database);
    },
    runId: runIdIn(info),
  };
}

function checkKind(name: string, info: RedisInfo): void {
  const advice = info["role"] !== "master"
    ? "is a replica: name its master, or make it a master (REPLICAOF NO ONE)"
    : info["cluster_enabled"] === "1"
    ? "is a node of a Redis Cluster: keys are exported to a single server"
    : isProxy(info)
    ? "is a proxy: keys are exported to a single server, and imported to a product"
    : undefined;
  if (advice !== undefined) throw new Error(`${name} ${advice}`);
}

/** Ours and those of Codis say so; others have no run id. */
function isProxy(info: RedisInfo): boolean {
  const names = ["codis_proxy_version", "codis_version"];
  return names.some((name) => info[name] !== undefined) || runIdIn(info) === "";
}

/**
 * Fails when the target has started anew: it may have lost what it had answered for.
 *
 * @throws {ChangeError}
 */
export async function watchTarget(
  target: TargetServer,
  state: ImportState,
  isEnded: () => boolean,
): Promise<void> {
  checkRunId(target.runId, state);
  while (!isEnded()) {
    await delay(LOOK_MS);
    let runId: string;
    try {
      using redis = await openDestination(target);
      runId = runIdIn(await readInfo(redis, "server"));
    } catch {
      // Those who write to it say so.
      continue;
    }
    checkRunId(runId, state);
  }
}

function checkRunId(runId: string, state: ImportState): void {
  const before = state.noted(NOTE);
  if (before !== "" && before !== runId) {
    throw new ChangeError(
      "the target has started anew, and may have lost keys: run the same command with --restart, which copies " +
        "all keys anew",
    );
  }
  state.note(NOTE, runId);
}
