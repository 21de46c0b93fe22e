import { assertEquals } from "@std/assert";
import { productState } from "../../../../src/dashboard/page/products.js";

const STATUS = {
  ...{
    at: 0,
    url: "",
    version: "",
    requests_per_second: 0,
    clients: 0,
    proxies: 0,
    proxies_online: 0,
  },
  ...{ groups: 1, servers: 1, servers_up: 1, slots_served: 1024, slots_moving: 0, memory_bytes: 0 },
  ...{ errors: 0, warnings: 0 },
};

Deno.test("the state of a product is the worst that is known of it", () => {
  const state = (status: Partial<typeof STATUS> | null, problem = "", leader = "a:1") => {
    const { tone, state } = productState({
      ...{ leader, problem, status: status === null ? null : { ...STATUS, ...status } },
    });
    return `${tone}: ${state}`;
  };
  assertEquals(state({}), "good: well");
  assertEquals(state({ slots_moving: 2 }), "busy: 2 slots to move");
  assertEquals(state({ slots_served: 1023, slots_moving: 2 }), "warning: 1 slot not served");
  assertEquals(state({ warnings: 1, slots_served: 0 }), "warning: 1 warning");
  assertEquals(state({ errors: 3, warnings: 1 }), "bad: 3 errors");
  assertEquals(state({}, "no dashboard leads", ""), "bad: no dashboard leads");
  assertEquals(
    state({}, "its dashboard has told nothing for 4 min"),
    "off: its dashboard has told nothing for 4 min",
  );
  assertEquals(state(null), "off: not known");
});
