/**
 * The command `config move`: the product goes to another coordinator, while its proxies serve.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type { Config } from "../../config/config.ts";
import { ConfigError } from "../../config/error.ts";
import { isSameValue } from "../../config/difference.ts";
import { CONFIG_KEYS } from "../../config/keys.ts";
import { planMove, type ProductMoveOptions } from "../../control/move_plan.ts";
import { moveProduct } from "../../control/move_product.ts";
import { configLines, storeAddress, storeText } from "../../store/moves.ts";
import { configCommand } from "../parts/config_command.ts";
import { type CommandContext, loadOtherStore } from "../parts/context.ts";
import { askOverTls } from "../parts/product_tls.ts";
import { type Flag, type FlagValues, isGiven, readValue } from "../parts/subcommand.ts";
import { maskControls } from "../parts/table.ts";

const TO: Flag<string> = {
  name: "to",
  value: "file",
  default: "",
  isFile: true,
  help: "the config.ini with the other coordinator",
  parse: (name) => name,
};

/** How a process proves who it is to the coordinator, and whom it trusts. */
const ACCESS_KEYS = CONFIG_KEYS.filter(({ key }) => /^coordinator_(auth|ca|cert|key)$/.test(key));

const YES: Flag = {
  name: "yes",
  value: "",
  default: "",
  help: "move; without this flag, it is only checked whether that is possible",
};

/** `config move`. */
export const moveCommand = configCommand({
  name: "move",
  summary:
    "Move the product to the coordinator of another config.ini, while its proxies serve clients.",
  details:
    "-c names the config.ini of now, --to the new one. Proxies and dashboards go over by themselves; no client " +
    "notices.\nIf it is interrupted, run it again: it either has changed nothing, or goes on. The way back is " +
    "the same command\nwith the two files exchanged. Needs no dashboard.",
  flags: [TO, YES],
  run: async (values, context) => {
    const file = readTo(values);
    const isDone = isGiven(values, YES);
    const { options, keysBefore } = await moveOptions(file, context);
    const { proxies, dashboard, stage, entries } = await planMove(options);
    const [from, to] = [storeText(options.from), storeText(options.to)].map(maskControls);
    const json = { product: options.source.product, from, to };
    if (!isDone) {
      const ids = proxies.map(({ id }) => id);
      return {
        json: { ...json, done: false, stage, entries, proxies: ids, dashboard },
        text: [
          stage === "begun"
            ? `product ${json.product} has moved from ${from} to ${to}, which was interrupted`
            : `product ${json.product} can move from ${from} to ${to}: ${
              countOf(entries, "entry", "entries")
            }`,
          `proxies that go over: ${ids.length === 0 ? "none" : ids.join(", ")}`,
          `dashboard: ${dashboard === "" ? "none leads" : dashboard}`,
          ...keysBefore === "" ? [] : [keysBefore],
          `nothing was changed; --yes ${stage === "begun" ? "goes on with it" : "does it"}`,
        ].join("\n"),
      };
    }
    if (keysBefore !== "") options.tell(keysBefore);
    const { heldMs, ...outcome } = await moveProduct(options);
    const { followed, missing } = outcome;
    return {
      json: { ...json, done: true, ...outcome, held_ms: heldMs },
      text: [
        `product ${json.product} has moved from ${from} to ${to}${
          heldMs === 0 ? "" : `; nothing could be changed for ${heldMs} ms`
        }`,
        `proxies that have gone over: ${
          followed.length === 0 ? "none" : followed.map(maskControls).join(", ")
        }`,
        ...missing.map((addr) =>
          `not there yet: ${
            maskControls(addr)
          }; until it is, nothing can be changed: its log says why`
        ),
        `before a process is started again, its config.ini must say ${
          maskControls(configLines(options.to))
        }`,
      ].join("\n"),
      exitCode: missing.length === 0 ? 0 : 1,
    };
  },
});

function readTo(values: FlagValues): string {
  if (!isGiven(values, TO)) {
    throw new ConfigError("--to must name the config.ini with the other coordinator");
  }
  return readValue(values, TO);
}

async function moveOptions(
  file: string,
  context: CommandContext,
): Promise<{ readonly options: ProductMoveOptions; readonly keysBefore: string }> {
  const { config, entries } = await context.loaded();
  const next = await loadNext(file);
  if (next.product !== config.product) {
    throw new ConfigError(
      `${
        maskControls(file)
      } has product "${next.product}", and the config of now "${config.product}"`,
    );
  }
  await askOverTls(config, entries);
  const source = await context.openStore(config, "wherever the product is");
  const target = await context.openToFill(next, "wherever the product is");
  const options = {
    source,
    target,
    from: storeAddress(config),
    to: storeAddress(next),
    tell: (text: string) => console.error(maskControls(text)),
  };
  return { options, keysBefore: keysNeeded(config, next) };
}

/** What each process must have in its own config file before, to reach the new coordinator; empty: nothing new. */
function keysNeeded(config: Config, next: Config): string {
  if (next.coordinator === "embedded") return "";
  const keys = ACCESS_KEYS.filter((row) => !isSameValue(row, config, next)).map(({ key }) => key);
  if (keys.length === 0) return "";
  return `${
    keys.join(", ")
  }: not as it is now: each process must have the new value in its own config.ini ` +
    "before, or it does not go over until it has";
}

async function loadNext(file: string): Promise<Config> {
  try {
    return await loadOtherStore(file);
  } catch (error) {
    throw new ConfigError(`--to: ${(error as Error).message}`);
  }
}
