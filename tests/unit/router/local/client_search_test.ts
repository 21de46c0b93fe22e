import { assertEquals } from "@std/assert";
import {
  type ClientSearch,
  mergeFoundClients,
} from "../../../../src/router/local/client_search.ts";

Deno.test("what several workers have found is one list in the order that was asked for", () => {
  const found = (...keys: number[]) => ({
    total: 10,
    matching: keys.length,
    first: keys.map((key) => ({ key, line: `idle=${key}` })),
  });
  const search: ClientSearch = { search: "", by: "idle", isReversed: false, limit: 3 };
  const merged = (isReversed: boolean) =>
    mergeFoundClients([found(5, 9), found(7), found()], { ...search, isReversed });
  assertEquals([merged(false).total, merged(false).matching], [30, 3]);
  assertEquals(merged(false).first.map(({ key }) => key), [5, 7, 9]);
  assertEquals(merged(true).first.map(({ key }) => key), [9, 7, 5]);
});
