/**
 * The command `export`: keeps one Redis server in step with the product, so that moving in can be undone.
 *
 *     masters of the product's groups (-c config.ini) ─► RDB, then changes ─► --to: one server
 *
 * @module
 */

import { sourceName } from "../import/source/source_address.ts";
import { exportProduct } from "./export/product_export.ts";
import { EXPORT_FLAGS, TO_SERVER } from "./export/flags.ts";
import { readChoice } from "./import/flags.ts";
import { CommandContext } from "./parts/context.ts";
import {
  type FlagValues,
  isGiven,
  readValue,
  type Subcommand,
  UsageError,
} from "./parts/subcommand.ts";

/** See the header. */
export const exportCommand: Subcommand = {
  name: "export",
  summary: "Keep a single Redis in step with the product, as the way back.",
  details:
    "Follows the masters of all groups as a replica and writes to one server, until Ctrl-C; the same command\n" +
    "continues. Exit codes: 0 done, 1 failed, 2 keys differ, 129, 130 or 143 stopped by a signal.",
  flags: EXPORT_FLAGS,
  run: async (values: FlagValues): Promise<number> => {
    if (!isGiven(values, TO_SERVER)) {
      throw new UsageError(
        `--to is missing: the server that keys are written to, ${TO_SERVER.help}`,
      );
    }
    const target = readValue(values, TO_SERVER);
    readChoice(values);
    await using context = new CommandContext(values);
    return await exportProduct(
      values,
      context,
      target,
      sourceName({ kind: "redis", server: target }),
    );
  },
};
