/**
 * Rules about slot rules: they can be read, no change was left, and everybody places keys by them.
 *
 * @module
 */

import { RecordError } from "../model/record.ts";
import { decodeSlotRules, ruleProblem, type SlotRulesRecord } from "../model/slot_rule.ts";
import type { DecodedTree } from "./decoded_tree.ts";
import { CONFIG, errorAt, type Problem, warningAt } from "./problem.ts";

/** Slot rules can be read, and are rules. */
export function findBadSlotRules({ tree }: DecodedTree): Problem[] {
  const { slotRules: path } = tree.paths;
  const fix =
    `${CONFIG} restore of a dump, or write it anew in the coordinator; until then no proxy ` +
    "that starts serves";
  const record = rulesOf(tree.slotRules);
  if (record instanceof RecordError) return [errorAt(path, record.message, fix)];
  return (record?.rules ?? []).flatMap((rule) => {
    const problem = ruleProblem(rule);
    return problem === "" ? [] : [errorAt(path, `rule ${rule.pattern}: ${problem}`, fix)];
  });
}

/** A change of slot rules lasts for moments; requests wait meanwhile. */
export function findPendingSlotRules({ tree }: DecodedTree): Problem[] {
  const record = rulesOf(tree.slotRules);
  if (record === undefined || record instanceof RecordError || record.pending === null) return [];
  const problem = "slot rules are about to change: proxies hold requests";
  const fix = "if it stays, start codis-proxy dashboard: it gives the change up";
  return [warningAt(tree.paths.slotRules, problem, fix)];
}

/** While there are slot rules, no server and no proxy places keys without them. */
export function findWhoIgnoresSlotRules({ tree, servers, proxies, facts }: DecodedTree): Problem[] {
  const record = rulesOf(tree.slotRules);
  if (record === undefined || record instanceof RecordError) return [];
  if ((record.rules ?? []).length === 0) return [];
  const { paths } = tree;
  const codis = servers.filter(({ addr }) => facts.get(addr)?.isCodis === true);
  const foreign = proxies.filter(({ record: { description } }) => description === "");
  return [
    ...codis.map(({ groupId, addr }) =>
      errorAt(
        paths.server(groupId, addr),
        "a codis-server, which knows nothing of slot rules: its slots cannot move",
        `replace it by a stock Redis server, or remove the rules with ${CONFIG} slot rule remove`,
      )
    ),
    ...foreign.map(({ name }) =>
      warningAt(
        paths.proxy(name),
        "may be a proxy of Codis: such a one places keys without slot rules, and its clients miss keys",
        `end it, or remove the rules with ${CONFIG} slot rule remove`,
      )
    ),
  ];
}

function rulesOf(json: string | undefined): SlotRulesRecord | RecordError | undefined {
  if (json === undefined) return undefined;
  try {
    return decodeSlotRules(json);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return error;
  }
}
