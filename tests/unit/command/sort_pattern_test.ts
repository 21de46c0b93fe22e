/**
 * Which patterns of SORT may name keys of other slots.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { refusedPattern } from "../../../src/command/sort_pattern.ts";
import { argumentsOfLine } from "../../support/arguments.ts";

Deno.test("patterns that name no key, or keys of the list's slot, are let through", () => {
  for (
    const line of [
      "SORT k",
      "SORT k BY nosort GET #",
      "SORT {t}k BY {t}w_* GET {t}n_*->f GET #",
      "SORT k BY {k}w_*",
      "SORT k LIMIT by w_*", // not numbers: Redis says so
      "SORT k STORE by",
      "SORT k ALPHA BY", // half an option: Redis says so
    ]
  ) assertEquals(refusedPattern(argumentsOfLine(line)), "", line);
});

Deno.test("patterns that may name keys of other slots get Redis Cluster's text", () => {
  const by = "ERR BY option of SORT denied in Cluster mode.";
  const get = "ERR GET option of SORT denied in Cluster mode.";
  const cases: readonly (readonly [line: string, text: string])[] = [
    ["SORT k BY w_*", by],
    ["SORT {t}k BY {u}w_*", by],
    ["SORT {t}k BY w_*{t}", by],
    ["SORT {t}k BY {*}", by],
    ["SORT {t}k BY {t*}", by],
    ["SORT_RO k GET n_*", get],
    ["SORT k LIMIT 0 1 BY nosort GET # get n:*->x", get],
  ];
  for (const [line, text] of cases) assertEquals(refusedPattern(argumentsOfLine(line)), text, line);
});
