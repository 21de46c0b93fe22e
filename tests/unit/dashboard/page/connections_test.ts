import { assertEquals } from "@std/assert";
import { clientsPath, orderedConnections } from "../../../../src/dashboard/page/connections.js";

const ALL = [
  { addr: "10.0.0.2:1", name: "Shop", idle: "9", "tot-mem": "100" },
  { addr: "10.0.0.1:1", name: "", idle: "10", "tot-mem": "20" },
];

Deno.test("connections are searched in any case, and sorted as numbers where they are", () => {
  const addrs = (search: string, column: "idle" | "tot-mem" | "addr", isDown = false) =>
    orderedConnections(ALL, search, { column, isDown }).map(({ addr }) => addr?.slice(0, 8));
  assertEquals(addrs("", "idle"), ["10.0.0.2", "10.0.0.1"]);
  assertEquals(addrs("", "tot-mem", true), ["10.0.0.2", "10.0.0.1"]);
  assertEquals(addrs("", "addr"), ["10.0.0.1", "10.0.0.2"]);
  assertEquals(addrs(" sHoP ", "addr"), ["10.0.0.2"]);
});

Deno.test("a proxy is asked for clients as they are shown", () => {
  const path = (column: "idle" | "age", isDown: boolean, search = "") =>
    clientsPath("a/b", search, { column, isDown });
  assertEquals(path("idle", false), "api/proxy/a%2Fb/clients?by=idle&limit=50");
  assertEquals(
    path("idle", true, "x&y"),
    "api/proxy/a%2Fb/clients?by=idle&reversed=yes&search=x%26y&limit=50",
  );
  // The oldest come first at the proxy.
  assertEquals(path("age", true), "api/proxy/a%2Fb/clients?by=age&limit=50");
});
