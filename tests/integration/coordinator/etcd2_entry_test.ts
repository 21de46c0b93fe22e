/**
 * An entry in a real etcd's keys of version 2 that goes when its process does: the place of Jodis's entry where
 * Codis 3.2's `jodis_name` is etcd.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { Secret } from "../../../src/base/secret.ts";
import { CoordinatorError } from "../../../src/coordinator/errors.ts";
import { Etcd2Entry } from "../../../src/coordinator/etcd/etcd2_entry.ts";
import { until } from "../../support/deadline.ts";
import { EtcdServer } from "../../support/etcd_server.ts";

const PATH = "/jodis/shop/proxy-1";
const TTL_MS = 1_000;

Deno.test("the entry stays while its process lives, and goes with it", async () => {
  await using etcd = await EtcdServer.start({ args: ["--enable-v2=true"] });
  const url = `${etcd.url}/v2/keys${PATH}`;
  const value = async () => (await (await fetch(url)).json()).node?.value;
  let gone = 0;
  const open = () =>
    new Etcd2Entry({ endpoints: [etcd.url], tls: {}, auth: new Secret("") }, TTL_MS, () => gone++);
  const entry = open();
  await entry.put(PATH, '{\n    "state": "online"\n}');
  await delay(2.5 * TTL_MS);
  assertEquals(await value(), '{\n    "state": "online"\n}');

  // Away for longer than it lives: it is prolonged when etcd is back, or its owner is told.
  await etcd.pause();
  await delay(1.5 * TTL_MS);
  await etcd.resume();
  await until(async () => gone === 1 || await value() !== undefined);

  await entry.put(PATH, "again");
  await (await fetch(url, { method: "DELETE" })).body?.cancel();
  gone = 0;
  await until(() => gone === 1);
  await entry.put(PATH, "again");
  await entry.delete(PATH);
  await entry.delete(PATH);
  assertEquals(await value(), undefined);
  await entry.put(PATH, "again");
  await entry.close();
  assertEquals(await value(), undefined);
});

Deno.test("an etcd without keys of version 2 is named", async () => {
  await using etcd = await EtcdServer.start();
  const entry = new Etcd2Entry(
    { endpoints: [etcd.url], tls: {}, auth: new Secret("") },
    TTL_MS,
    () => {},
  );
  await assertRejects(
    () => entry.put(PATH, "x"),
    CoordinatorError,
    "etcd does not serve keys of version 2",
  );
  await entry.close();
});
