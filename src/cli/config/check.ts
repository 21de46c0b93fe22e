/**
 * The command `config check`: problems in the store, found without a dashboard.
 *
 * @module
 */

import { parseAddress } from "../../base/address.ts";
import { askFacts } from "../../control/servers.ts";
import { checkTree } from "../../store/check.ts";
import type { Config } from "../../config/config.ts";
import { etcd2Problem } from "../../store/etcd2.ts";
import { errorAt, type Problem } from "../../store/problem.ts";
import { loadTree, serverAddrs } from "../../store/product_tree.ts";
import type { Store } from "../../store/store.ts";
import { openServer } from "../parts/redis_servers.ts";
import { configCommand } from "../parts/config_command.ts";
import { countOf, maskControls } from "../parts/table.ts";

/** See the header. */
export const checkCommand = configCommand({
  name: "check",
  summary: "Check the store and its Redis servers for problems. Needs no dashboard.",
  details: "The exit code is 1 when there is an error.",
  run: async (_values, context) => {
    const store = await context.store();
    const elsewhere = await etcd2Problem(await context.config(), store.coordinator);
    // Otherwise the only finding here would be that nothing is stored.
    const problems = elsewhere === undefined
      ? await problemsIn(store, await context.config())
      : [errorAt(store.paths.root, elsewhere.problem, elsewhere.fix)];
    const hasError = problems.some(({ severity }) => severity === "error");
    return {
      json: { problems },
      text: describeProblems(problems, store.paths.root),
      exitCode: hasError ? 1 : 0,
    };
  },
});

/** Problems in what is stored, checked against what the reachable servers answer. */
async function problemsIn(store: Store, config: Config): Promise<readonly Problem[]> {
  const tree = await loadTree(store);
  const open = (addr: string) => openServer(config, parseAddress(addr));
  return checkTree(tree, await askFacts(serverAddrs(tree), open)).problems;
}

function describeProblems(problems: readonly Problem[], root: string): string {
  if (problems.length === 0) return `no problems below ${root}`;
  const lines = problems.map(({ path, severity, problem, fix }) =>
    `${severity}: ${maskControls(path)}\n    ${maskControls(problem)}\n    → ${fix}`
  );
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const sum = [countOf(errors, "error"), countOf(problems.length - errors, "warning")].join(", ");
  return [...lines, sum].join("\n");
}
