/**
 * The command `config check`: what is wrong with what is stored, read without any dashboard.
 *
 * @module
 */

import { checkTree } from "../../store/check.ts";
import type { Problem } from "../../store/problem.ts";
import { loadTree } from "../../store/product_tree.ts";
import { configCommand } from "./config_command.ts";
import { countOf, printable } from "./table.ts";

/** See the header. */
export const checkCommand = configCommand({
  name: "check",
  summary:
    "Look for mistakes in the store, without a dashboard; exit code 1 when there is an error.",
  run: async (_values, session) => {
    const store = await session.store();
    const result = checkTree(await loadTree(store));
    const hasError = result.problems.some(({ severity }) => severity === "error");
    return {
      json: result,
      text: describeProblems(result.problems, store.paths.root),
      exitCode: hasError ? 1 : 0,
    };
  },
});

function describeProblems(problems: readonly Problem[], root: string): string {
  if (problems.length === 0) return `nothing is wrong below ${root}`;
  const lines = problems.map(({ path, severity, problem, fix }) =>
    `${severity}: ${printable(path)}\n    ${printable(problem)}\n    → ${fix}`
  );
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const sum = [countOf(errors, "error"), countOf(problems.length - errors, "warning")].join(", ");
  return [...lines, sum].join("\n");
}
