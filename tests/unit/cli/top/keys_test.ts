/**
 * Keys of `top`: what terminals send for them, and what each does.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  chosenId,
  pressKey,
  START,
  type TopState,
  typedKeys,
} from "../../../../src/cli/top/keys.ts";
import { VIEW } from "../../../support/cluster_view.ts";
import { topData } from "../../../support/top_data.ts";

const DATA = topData();

function press(...keys: readonly string[]): TopState {
  return keys.reduce<TopState>((state, key) => {
    const step = pressKey(state, key, DATA);
    assert(step !== "quit");
    return step;
  }, START);
}

Deno.test("keys are known by what terminals send, several at a time, too", () => {
  assertEquals(typedKeys("\x1b[A\x1bOBq"), ["up", "down", "q"]);
  assertEquals(typedKeys("\x1b[5~\x1b[6~\x1b[H\x1b[4~"), ["page up", "page down", "home", "end"]);
  assertEquals(typedKeys("\r\x1b\x7f\x03"), ["enter", "escape", "escape", "quit"]);
  assertEquals(typedKeys("日"), ["日"]);
  // Not known, and nothing of it is taken for another key.
  assertEquals(typedKeys("\x1b[1;5C\x1b[?1;2c"), ["\x1b[1;5C", "\x1b[?1;2c"]);
});

Deno.test("q and Ctrl-C quit from every page", () => {
  for (const state of [START, press("?"), press("enter"), press("l", "enter")]) {
    assertEquals(pressKey(state, "q", DATA), "quit");
    assertEquals(pressKey(state, "quit", DATA), "quit");
  }
});

Deno.test("what is not a key changes nothing", () => {
  for (const key of ["x", "\x1b[1;5C", "\x00", "日", ""]) {
    assertEquals(pressKey(START, key, DATA), START);
  }
});

Deno.test("a row is chosen by up and down, and stays chosen when the order changes", () => {
  const state = press("s", "down", "down");
  assertEquals(chosenId(state, DATA), "2 redis-3:6379");
  assertEquals(chosenId(press("s", "down", "down", "down", "page down"), DATA), "2 redis-3:6379");
  assertEquals(chosenId(press("s", "end", "home"), DATA), "1 redis-1:6379");
  assertEquals(chosenId(press("s", "down", "down", "<", "r"), DATA), "2 redis-3:6379");
});

Deno.test("a row that goes while it is looked into is not taken for another one", () => {
  const state = press("s", "down", "enter");
  assertEquals([state.page, state.chosen.servers], ["inside", "1 redis-2:6379"]);
  const rest = { ...VIEW, groups: VIEW.groups.slice(1) };
  assertEquals(chosenId({ ...state, page: undefined }, topData(rest)), "2 redis-3:6379");
  assertEquals(state.chosen.servers, "1 redis-2:6379");
});

Deno.test("lists are sorted by each column, figures from the highest on, unknown ones last", () => {
  const first = (...keys: string[]) => chosenId(press("s", ...keys, "home"), DATA);
  // group, server, role, req/s
  assertEquals(first(">", ">", ">", ">"), "1 redis-1:6379");
  assertEquals(first(">", ">", ">", ">", "r"), "1 redis-2:6379");
  const last = press("s", ">", ">", ">", ">", "r", "end");
  assertEquals(chosenId(last, DATA), "2 redis-3:6379");
  // Around the end is the order in which they come.
  assertEquals(press("s", ">", "<").sorts.servers?.column, "\0");
});

Deno.test("escape goes back from a page, and other lists are one key away", () => {
  assertEquals(press("?", "escape").page, undefined);
  assertEquals(press("?", "?").page, undefined);
  assertEquals(press("p", "enter", "left").page, undefined);
  const state = press("p", "enter", "g");
  assertEquals([state.list, state.page], ["groups", undefined]);
  // Nothing to look into.
  assertEquals(press("m", "enter").page, undefined);
});
