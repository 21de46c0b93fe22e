/**
 * The commands `config slot rule …`: which keys belong together.
 *
 * @module
 */

import { countOf } from "../../../base/count_of.ts";
import type { SlotRule } from "../../../hash/placement.ts";
import { describeRule, ruleProblem } from "../../../model/slot_rule.ts";
import { SLOT_RULE_PRESETS, type SlotRulePreset } from "../../../model/slot_rule_presets.ts";
import { configCommand, type ConfigRow } from "../../parts/config_command.ts";
import type { CommandOutput } from "../../parts/output.ts";
import {
  type Argument,
  type CommandGroup,
  type Flag,
  isGiven,
  readValue,
  UsageError,
} from "../../parts/subcommand.ts";
import { formatFields, formatTable, maskControls } from "../../parts/table.ts";

const PATTERN: Argument<string> = {
  name: "pattern",
  help: "what the keys look like; * stands for anything up to what follows it",
  parse: (text) => text,
};

const KEY: Argument<string> = { name: "key", help: "any key", parse: (text) => text };

const TAG: Flag<string> = {
  name: "tag",
  value: "name",
  default: "",
  help: "place the keys as if they carried {name}; without it: by the part that matches",
  parse: (text) => text,
};

const FIRST: Flag = {
  name: "first",
  value: "",
  default: "",
  help: "try it before the rules that are there, not after them",
};

const PRESET: Argument<SlotRulePreset> = {
  name: "preset",
  help: SLOT_RULE_PRESETS.map(({ name }) => name).join(", "),
  words: SLOT_RULE_PRESETS.map(({ name }) => name),
  isOptional: true,
  parse: (text) => {
    const preset = SLOT_RULE_PRESETS.find(({ name }) => name === text);
    if (preset !== undefined) return preset;
    throw new SyntaxError(
      `"${text}" is none of ${SLOT_RULE_PRESETS.map((p) => p.name).join(", ")}`,
    );
  },
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show the slot rules, in their order.",
    run: async (_values, context) => {
      const json = await (await context.client()).slotRules();
      const rules = json.rules ?? [];
      const text = rules.length === 0
        ? "there are no slot rules: keys are placed by their {tag}, or as a whole"
        : rulesTable(rules);
      return { json, text: json.pending === null ? text : `${text}\na change is being made` };
    },
  },
  {
    name: "add",
    summary: "Keep keys that match a pattern in one slot.",
    details:
      "Without --tag, the pattern describes how keys begin, and ends with a separator: bull:*: keeps all\n" +
      "keys of each Bull queue in one slot, each queue in its own. With --tag, it describes whole keys:\n" +
      "rq:* --tag=rq keeps all of them in one slot. A {tag} in a key comes before all rules. Of the rules,\n" +
      "the first that matches counts. The rule is refused if there are keys that would change their slot.\n" +
      "All proxies hold requests for a moment.",
    arguments: [PATTERN],
    flags: [TAG, FIRST],
    run: async (values, context) => {
      const rule: SlotRule = {
        pattern: readValue(values, PATTERN),
        tag: isGiven(values, TAG) ? readValue(values, TAG) : "",
      };
      const problem = ruleProblem(rule);
      if (problem !== "") throw new UsageError(problem);
      const json = await (await context.client()).addSlotRules([rule], isGiven(values, FIRST));
      return { json, text: `slot rule added: ${maskControls(describeRule(rule))}` };
    },
  },
  {
    name: "remove",
    summary: "Remove a slot rule. Refused if there are keys that would change their slot.",
    arguments: [PATTERN],
    run: async (values, context) => {
      const pattern = readValue(values, PATTERN);
      const json = await (await context.client()).removeSlotRules([pattern]);
      return { json, text: `slot rule for ${maskControls(pattern)} removed` };
    },
  },
  {
    name: "test",
    summary: "Explain in which slot a key is, and why.",
    arguments: [KEY],
    run: async (values, context) => {
      const json = await (await context.client()).testSlotRules(readValue(values, KEY));
      const { slot, group, by, part, rule } = json;
      const why = {
        tag: `the {tag} in the key: ${part}`,
        rule: rule === null ? "" : `slot rule "${rule.pattern}", as {${part}}`,
        key: "the whole key: it has no {tag}, and no rule matches",
      }[by] ?? by;
      const text = formatFields([
        ["key", maskControls(json.key)],
        ["slot", slot],
        ["group", group],
        ["by", maskControls(why)],
      ]);
      return { json, text };
    },
  },
  {
    name: "preset",
    summary: "Add the slot rules of a framework. Without a name: list them.",
    arguments: [PRESET],
    run: async (values, context): Promise<CommandOutput> => {
      if (!isGiven(values, PRESET)) {
        const text = SLOT_RULE_PRESETS.map(({ name, about, rules }) =>
          [`${name}: ${about}`, ...rules.map((rule) => `    ${describeRule(rule)}`)].join("\n")
        ).join("\n");
        return { json: SLOT_RULE_PRESETS, text };
      }
      const { name, rules } = readValue(values, PRESET);
      const json = await (await context.client()).addSlotRules(rules);
      return {
        json,
        text: `${countOf(rules.length, "slot rule")} of ${name} added\n${rulesTable(rules)}`,
      };
    },
  },
];

/** See the header. */
export const slotRuleCommands: CommandGroup = {
  name: "rule",
  summary: "Keep keys together that a framework uses in one transaction or script.",
  flags: [],
  commands: ROWS.map(configCommand),
};

function rulesTable(rules: readonly SlotRule[]): string {
  return formatTable(
    ["pattern", "placed by"],
    rules.map(({ pattern, tag }) => [
      maskControls(pattern),
      tag === ""
        ? `the part before "${maskControls(pattern.split("*").at(-1)!)}"`
        : `{${maskControls(tag)}}`,
    ]),
  );
}
