import { assertEquals } from "@std/assert";
import { chosenKeys } from "../../../../src/dashboard/page/proxy_config.js";

const KEY = {
  ...{ default: "1", from: "default", help: "", rule: "", is_secret: false },
  source: "default",
  reload: "live",
} as const;

Deno.test("of the configuration, what is set, what waits for a restart, or all is shown", () => {
  const keys = [
    { ...KEY, key: "max_clients", value: "1" },
    { ...KEY, key: "addr", value: ":9000", source: "flag", from: "flag --addr" } as const,
    { ...KEY, key: "proto", value: "tcp", waits: { value: "tcp4", from: "config.ini:3" } },
  ];
  const names = (choice: "set" | "waits" | "all", search = "") =>
    chosenKeys(keys, choice, search).map(({ key }) => key);
  assertEquals(names("all"), ["max_clients", "addr", "proto"]);
  assertEquals(names("waits"), ["proto"]);
  // What waits is never left out.
  assertEquals(names("set"), ["addr", "proto"]);
  assertEquals(names("all", "--ADDR "), ["addr"]);
});
