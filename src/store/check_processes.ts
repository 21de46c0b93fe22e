/**
 * Rules about what processes leave in the store: proxies, fences, actions, locks.
 *
 * @module
 */

import { decodeLockOwner } from "../model/lock_owner.ts";
import { RecordError } from "../model/record.ts";
import { decodeSentinels } from "../model/sentinels.ts";
import { isIntent } from "./check_records.ts";
import type { DecodedTree } from "./decoded_tree.ts";
import { deadFences } from "./fences.ts";
import { decodeMigratePause } from "./migrate_pause.ts";
import { CONFIG, errorAt, type Problem, warningAt } from "./problem.ts";
import { decodeWriteHold } from "./write_holds.ts";
import { compareSequence, sortSequence } from "./sequence.ts";

/** The record of a proxy agrees with its path. */
export function findMisplacedProxies({ tree, proxies }: DecodedTree): Problem[] {
  return proxies.filter(({ name, record }) => record.id !== name).map(({ name, record }) =>
    errorAt(tree.paths.proxy(name), `id is "${record.id}", not its name`, "restart that proxy")
  );
}

/** Clients of a Redis Cluster are sent to all proxies: each must answer them. */
export function findMixedClusterModes({ tree, proxies }: DecodedTree): Problem[] {
  const online = proxies.filter(({ record }) => record.state === "online");
  const first = online.find(({ record }) => record.cluster_mode === true);
  if (first === undefined) return [];
  return online.filter(({ record }) => record.cluster_mode !== true).map(({ name }) =>
    warningAt(
      tree.paths.proxy(name),
      `refuses CLUSTER, and clients of a Redis Cluster are sent to it by ${first.name}, which has cluster_mode = on`,
      "set cluster_mode alike in the config.ini of all proxies, and restart those that change",
    )
  );
}

/** Behind a fence is a proxy that is online, or nothing can be changed. */
export function findDeadFences({ tree, proxies }: DecodedTree): Problem[] {
  const records = proxies.map(({ record }) => record);
  return deadFences(tree.fences, records).map((addr) =>
    errorAt(
      tree.paths.fence(addr),
      `no proxy is online at ${addr}: nothing can be changed`,
      `set it online; if that process is surely gone, ${CONFIG} action remove-fence`,
    )
  );
}

/** An action and the place for its answers come and go together. */
export function findUnpairedActions({ tree }: DecodedTree): Problem[] {
  const { paths } = tree;
  const [actions, responses] = [sortSequence(tree.actions), sortSequence(tree.responses)];
  const newest = actions.at(-1) ?? "";
  const deaf = subtract(actions, responses);
  // One that is newer than every action may be about to get its own.
  const fix = `${CONFIG} check --fix`;
  const lost = subtract(responses, actions).filter((name) => compareSequence(name, newest) < 0);
  return [
    ...listFirst(
      deaf,
      paths.action,
      "an action that cannot be answered: it has no response node",
      fix,
    ),
    ...listFirst(lost, paths.response, "a response node without its action", fix),
  ];
}

/** A change lasts for moments; one that stays was started by a dashboard that died. */
export function findUnfinishedChange({ tree: { paths, records } }: DecodedTree): Problem[] {
  const json = records.get(paths.intent);
  if (json === undefined || !isIntent(json)) return [];
  const fix = "if none runs, start codis-proxy dashboard: it finishes or undoes it";
  return [warningAt(paths.intent, "a dashboard is at work on a change", fix)];
}

/** A promotion holds writes off for moments; a dashboard that leads ends what another one has left. */
export function findWriteHolds({ tree }: DecodedTree): Problem[] {
  return [...tree.writeHolds].map(([addr, json]) => {
    const { min_slaves_to_write: before } = decodeWriteHold(json);
    return warningAt(
      tree.paths.writeHold(addr),
      "may refuse writes, by min-slaves-to-write 1000 or by following itself: a promotion is under " +
        "way, or was interrupted",
      "if none is under way, start codis-proxy dashboard, and that server: then it is " +
        (before === "" ? "a master again" : `a master again, with min-slaves-to-write ${before}`),
    );
  });
}

/** A pause stays until an operator ends it, and is easily forgotten. */
export function findMigratePause({ tree }: DecodedTree): Problem[] {
  if (tree.migratePause === undefined) return [];
  const { since } = decodeMigratePause(tree.migratePause);
  const when = since === 0 ? "" : ` since ${new Date(since).toISOString()}`;
  const problem = `migrations are paused${when}: no slot moves`;
  return [warningAt(tree.paths.migratePause, problem, `${CONFIG} slot resume`)];
}

/** A lock is held for moments; one that stays was left by a crash. */
export function findLocks({ tree }: DecodedTree): Problem[] {
  return [...tree.locks].map(([name, json]) =>
    warningAt(
      `${tree.paths.lock}/${name}`,
      `held or waited for ${describeOwner(json)}`,
      `if that process is gone, ${CONFIG} action remove-lock`,
    )
  );
}

function describeOwner(json: string): string {
  try {
    const { desc, hostname, pid } = decodeLockOwner(json);
    return `by process ${pid} on ${hostname}: ${desc}`;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return "by an unknown process";
  }
}

function subtract(names: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return names.filter((name) => !known.has(name));
}

/** There may be thousands of them, and all are healed alike: the first stands for all. */
function listFirst(
  names: readonly string[],
  pathOf: (name: string) => string,
  problem: string,
  fix: string,
): Problem[] {
  if (names.length === 0) return [];
  const repairs = names.map((name) => ({ path: pathOf(name) }));
  const others = names.length === 1 ? "" : ` (and ${names.length - 1} more)`;
  return [warningAt(pathOf(names[0]!), `${problem}${others}`, fix, ...repairs)];
}

/** Sentinels that may watch something else than the table says; see `check_records.ts` for what is no record. */
export function findSentinelProblems({ tree: { paths, records } }: DecodedTree): Problem[] {
  const json = records.get(paths.sentinels);
  if (json === undefined || !isOutOfSync(json)) return [];
  const problem = "the sentinels may watch other masters than those that are stored";
  const fix = `${CONFIG} sentinel list says why; ${CONFIG} sentinel resync`;
  return [warningAt(paths.sentinels, problem, fix)];
}

function isOutOfSync(json: string): boolean {
  try {
    return decodeSentinels(json).out_of_sync;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return false;
  }
}
