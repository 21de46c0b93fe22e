/**
 * The history of a week: of the cluster and of each group and server, kept over a restart.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("figures of the cluster, groups and servers are kept, over a restart of the dashboard", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(1);
  const [addr] = servers.map((server) => server.addr);
  const historyDir = `${folder.dir}/history`;
  const of = async (dashboard: DashboardServer, subject: string, span = "1h") =>
    (await dashboard.get(`/api/history?of=${encodeURIComponent(subject)}&span=${span}`)).json;
  const isKept = async (dashboard: DashboardServer) =>
    (await of(dashboard, `server/${addr}`)).figures.memory_bytes?.at(-1) > 0;
  {
    await using dashboard = await DashboardServer.start(await folder.open(), { historyDir });
    await dashboard.done("PUT", "/api/server_groups", { id: 1 });
    const body = { addr, type: "master", group_id: 1 };
    await dashboard.done("PUT", "/api/server_group/1/addServer", body);
    await until(() => isKept(dashboard), 8_000);
    const { figures, step_ms } = await of(dashboard, "group/1");
    assertEquals([figures.keys.at(-1), step_ms], [0, 10_000]);
    await until(async () =>
      (await of(dashboard, "cluster", "7d")).figures.memory_bytes?.at(-1) > 0
    );
    assertEquals((await of(dashboard, "server/1.2.3.4:5")).at, []);
    for (const query of ["of=servers", "of=group/x", "span=2h"]) {
      const { status, json } = await dashboard.get(`/api/history?${query}`);
      assertEquals([status, json.field], [400, query.split("=")[0]]);
    }
  }
  await using next = await DashboardServer.start(await folder.open(), { historyDir });
  assert(await isKept(next));
});
