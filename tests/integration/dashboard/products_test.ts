/**
 * All products of a coordinator at any of their dashboards, which do not speak to each other.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { ProductsAnswer, ProductView } from "../../../src/api/products_view.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("a dashboard lists all products of its coordinator, with how each is", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const paper = await folder.open("paper");
  await paper.coordinator.create(paper.paths.dashboard, '{"addr": "10.0.0.9:18087", "pid": 5}');
  const broken = await folder.open("broken");
  await broken.coordinator.create(broken.paths.dashboard, '{"addr": "10.0.0.8:18087", "pid": 5}');
  await broken.coordinator.create(broken.paths.dashboardStatus, '{"url": 5}');
  const evil = await folder.open("evil");
  await evil.coordinator.create(evil.paths.dashboard, '{"addr": "10.0.0.7:18087", "pid": 5}');
  await evil.coordinator.create(
    evil.paths.dashboardStatus,
    '{"at": 1, "url": "javascript:alert()//"}',
  );

  await using shop = await DashboardServer.start(await folder.open("shop"));
  const listed = async () => {
    const { products, total }: ProductsAnswer = (await shop.get("/api/products")).json;
    assertEquals(total, products.length);
    return new Map(products.map((product): [string, ProductView] => [product.name, product]));
  };
  {
    const store = await folder.openFilled(server.addr, "cart");
    await using cart = await DashboardServer.start(store, { token: "of-the-cart" });
    // Shop does not have the token of cart, and needs none.
    await until(async () => (await listed()).get("cart")?.status?.servers_up === 1, 20_000);
    const all = await listed();
    assertEquals([...all.keys()], ["broken", "cart", "evil", "paper", "shop"]);
    const { leader, page, problem, is_own, status } = all.get("cart")!;
    assertEquals(
      [leader, page, problem, is_own],
      [cart.addr, `http://${cart.addr}/admin`, "", false],
    );
    assertEquals([status!.groups, status!.servers, status!.slots_served], [1, 1, 1024]);
    assertEquals([all.get("shop")!.is_own, all.get("shop")!.problem], [true, ""]);
    assertEquals(
      all.get("paper")!.problem,
      "its dashboard does not tell: it is an older one, or Codis 2.0's",
    );
    assertEquals(all.get("paper")!.page, "http://10.0.0.9:18087/admin");
    assert(all.get("broken")!.problem.startsWith("it cannot be read: "));
    // A page is never made to run a link.
    assertEquals(all.get("evil")!.page, "");
    assert(all.get("evil")!.problem.startsWith("its dashboard has told nothing for "));
  }
  assertEquals((await listed()).get("cart")!.problem, "no dashboard leads");
});
