/**
 * `export`: the product's groups are the sources, one server is the target, and slots may move between groups.
 *
 * @module
 */

import { clearKeys } from "../../import/clear_keys.ts";
import type { ImportSetup, SourceImport } from "../../import/source_import.ts";
import { SlotOwners } from "../../import/moving/slot_owners.ts";
import { ReadRate } from "../../import/read_rate.ts";
import type { SourceServer } from "../../import/source/source_address.ts";
import { runIdIn } from "../../redis/info.ts";
import { openDestination, openTarget } from "../import/destination.ts";
import { ALLOW_FLUSH, COUNT_ONLY, RATE, readChoice, valueOr } from "../import/flags.ts";
import { moveKeys } from "../import/move.ts";
import {
  checkSources,
  keysOf,
  lanesOf,
  openState,
  passwordFrom,
  tlsOf,
} from "../import/servers.ts";
import type { CommandContext } from "../parts/context.ts";
import { toJson } from "../parts/output.ts";
import { tlsToServers } from "../parts/redis_servers.ts";
import { type FlagValues, isGiven } from "../parts/subcommand.ts";
import { TO_PASSWORD_FILE } from "./flags.ts";
import { ProductSources } from "./product_sources.ts";
import { readTargetServer, watchTarget } from "./target_server.ts";

const TEXTS = { whose: "the product's masters", go: "let the clients use the target" };

/**
 * See the header.
 *
 * @param name What the target is called: without password.
 * @returns The exit code.
 */
export async function exportProduct(
  values: FlagValues,
  context: CommandContext,
  server: SourceServer,
  name: string,
): Promise<number> {
  const [config, store] = [await context.config(), await context.store()];
  const sources = await ProductSources.read(store, config);
  const complete = await passwordFrom(values, TO_PASSWORD_FILE);
  const target = await readTargetServer(
    name,
    complete(server),
    sources.placement,
    tlsOf(server),
  );
  const tls = await tlsToServers(config);
  const infos = await checkSources(sources.servers, target, () => tls);
  if ([...infos.values()].some((info) => runIdIn(info) === target.runId)) {
    throw new Error(`${name} is a server of product "${config.product}" itself`);
  }
  if (isGiven(values, COUNT_ONLY)) {
    console.log(
      toJson({ keys: keysOf(infos), target_keys: target.keys, sources: [...infos.keys()] }),
    );
    return 0;
  }
  const task = `product ${config.product} to ${name}`;
  const state = await openState(values, target, task, `export-${config.product}.state`);
  const choice = readChoice(values);
  const lanes = lanesOf(sources.servers.size);
  const owners = await SlotOwners.open({
    ...{ placement: target.placement, choice, state, readSlots: sources.readSlots },
    openTarget: () => openTarget(target, 1),
    openConnection: () => openDestination(target),
    databases: () => target.databases(),
  });
  const clear = async (source: SourceImport, database?: number) => {
    using redis = await openDestination(target);
    const databases = database === undefined ? await target.databases() : [database];
    return await clearKeys(redis, databases, choice, owners.keptBeside(source));
  };
  return await moveKeys(values, {
    ...{ places: sources.places, destination: target, state, texts: TEXTS },
    companion: {
      watch: async (run) => {
        await Promise.all([
          owners.watch(run),
          sources.watch(run, () => owners.look()),
          watchTarget(target, state, () => run.isEnded),
        ]);
      },
      isAtRest: () => owners.isAtRest(),
    },
    setup: (say): ImportSetup => ({
      ...{
        choice,
        state,
        say,
        clear,
        tls: () => tls,
        rate: new ReadRate(valueOr(values, RATE, 0)),
      },
      openTarget: () => openTarget(target, lanes),
      flushes: isGiven(values, ALLOW_FLUSH),
      flush: async (source, database) => void await clear(source, database),
      shareOf: (source) => owners.shareOf(source),
    }),
  });
}
