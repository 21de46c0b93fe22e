/**
 * Certificates that are watched: each side is renewed by its own files and its own key.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import type { Config } from "../../../src/config/config.ts";
import { type TlsSide, WatchedTls } from "../../../src/proxy/watched_tls.ts";
import { identityOf, tlsFile } from "../../support/tls.ts";

/** The settings of this test: whose certificate each side has. */
type Settings = Readonly<Record<"clients" | "servers", "server" | "other-server" | "none">>;

const configOf = (settings: Settings) => settings as unknown as Config;

Deno.test("a side is renewed when its key or its certificate is another, and no other side is", async () => {
  const renewed: string[] = [];
  const side = (name: keyof Settings): TlsSide => ({
    filesOf: (config) => {
      const certificate = (config as unknown as Settings)[name];
      const pathOf = (end: "" | "-key") =>
        certificate === "none" ? "/nowhere" : tlsFile(`${certificate}${end}`);
      return {
        cert: { key: `${name}_cert`, path: pathOf("") },
        key: { key: `${name}_key`, path: pathOf("-key") },
        ca: { key: "", path: "" },
      };
    },
    first: { ...identityOf("server"), ca: "" },
    key: `${name}_key`,
    renew: () => void renewed.push(name),
  });
  const first: Settings = { clients: "server", servers: "server" };
  using tls = new WatchedTls(configOf(first), [
    side("clients"),
    side("servers"),
    { ...side("clients"), filesOf: () => undefined },
  ]);
  const put = async (settings: Settings, ...changed: string[]) => {
    renewed.length = 0;
    (await tls.prepare(configOf(settings), new Set(changed), true))();
    return [...renewed];
  };
  assertEquals(await put(first), []);
  assertEquals(await put(first, "clients_key"), ["clients"]);
  assertEquals(await put(first, "servers_key"), ["servers"]);
  assertEquals(await put({ ...first, servers: "other-server" }), ["servers"]);
  // What is no reload reads files of changed keys only.
  const unreadable = configOf({ ...first, servers: "none" });
  await tls.prepare(unreadable, new Set(["other", "clients_cert"]), false);
  await assertRejects(() => tls.prepare(unreadable, new Set(["servers_cert"]), false));
  await assertRejects(() => tls.prepare(unreadable, new Set(), true));
});
