/**
 * The command `config check`: problems in the store, found without a dashboard.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { parseAddress } from "../../base/address.ts";
import { type CheckFindings, checkWithServers, type FoundProblem } from "../../control/servers.ts";
import type { Config } from "../../config/config.ts";
import { etcd2Problem } from "../../store/etcd2.ts";
import { errorAt } from "../../store/problem.ts";
import { removeUnreadable, repairTree } from "../../store/repair.ts";
import { loadTree } from "../../store/product_tree.ts";
import type { Store } from "../../store/store.ts";
import { loginOfClients, openServer } from "../parts/redis_servers.ts";
import { configCommand } from "../parts/config_command.ts";
import { type Flag, isGiven, readValue } from "../parts/subcommand.ts";
import { maskControls } from "../parts/table.ts";

const FIX: Flag = {
  name: "fix",
  value: "",
  default: "",
  help: "repair what has one right answer; what was repaired is listed first",
};

const REMOVE: Flag<string> = {
  name: "remove",
  value: "path",
  default: "",
  help: "take a record away that cannot be read, by its path in the list; what it held is shown",
  parse: (path) => path,
};

/** See the header. */
export const checkCommand = configCommand({
  name: "check",
  summary: "Check the store and its Redis servers for problems. Needs no dashboard.",
  details:
    "The exit code is 1 when there is an error. Servers that do not answer are named, and count as no error.",
  flags: [FIX, REMOVE],
  run: async (values, context) => {
    const store = await context.store();
    const path = readValue(values, REMOVE);
    const removed = path === "" ? [] : [{ path, data: await removeUnreadable(store, path) }];
    const repaired = isGiven(values, FIX) ? await repairTree(store) : [];
    const elsewhere = await etcd2Problem(await context.config(), store.coordinator);
    // Otherwise the only finding here would be that nothing is stored.
    const { problems, silent_servers } = elsewhere === undefined
      ? await findIn(store, await context.config())
      : {
        problems: [errorAt(store.paths.root, elsewhere.problem, elsewhere.fix)],
        silent_servers: [],
      };
    const hasError = problems.some(({ severity }) => severity === "error");
    return {
      json: {
        ...isGiven(values, FIX) &&
          { repaired: repaired.map(({ path, problem }) => ({ path, problem })) },
        ...removed.length > 0 && { removed },
        ...{ problems, silent_servers },
      },
      text: [
        ...removed.map(({ path, data }) =>
          `removed: ${maskControls(`${path}, which held ${data}`)}`
        ),
        ...repaired.map(({ path, problem }) => `repaired: ${maskControls(`${path}: ${problem}`)}`),
        describeProblems(problems, store.paths.root),
        ...describeSilent(silent_servers),
      ].join("\n"),
      exitCode: hasError ? 1 : 0,
    };
  },
});

/** Problems in what is stored, checked against what the reachable servers answer. */
async function findIn(store: Store, config: Config): Promise<CheckFindings> {
  const open = (addr: string) => openServer(config, parseAddress(addr));
  return await checkWithServers(await loadTree(store), open, await loginOfClients(config));
}

function describeSilent(addrs: readonly string[]): readonly string[] {
  if (addrs.length === 0) return [];
  const names = addrs.map(maskControls).join(", ");
  return [`${countOf(addrs.length, "server")} did not answer, so not checked: ${names}`];
}

function describeProblems(problems: readonly FoundProblem[], root: string): string {
  if (problems.length === 0) return `no problems below ${root}`;
  const lines = problems.map(({ path, severity, problem, fix, fixable }) =>
    `${severity}: ${maskControls(path)}\n    ${maskControls(problem)}\n    → ${fix}` +
    (fixable && !fix.endsWith("check --fix") ? "\n    → or config check --fix" : "")
  );
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const sum = [countOf(errors, "error"), countOf(problems.length - errors, "warning")].join(", ");
  return [...lines, sum].join("\n");
}
