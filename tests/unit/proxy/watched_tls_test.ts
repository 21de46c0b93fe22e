/**
 * Certificates that are watched: each side is renewed by its own files and its own key.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Config } from "../../../src/config/config.ts";
import { type TlsSide, WatchedTls } from "../../../src/proxy/watched_tls.ts";
import { identityOf, tlsFile } from "../../support/tls.ts";

/** The settings of this test: whose certificate each side has. */
type Settings = Readonly<Record<"clients" | "servers", "server" | "other-server">>;

const configOf = (settings: Settings) => settings as unknown as Config;

Deno.test("a side is renewed when its key or its certificate is another, and no other side is", async () => {
  const renewed: string[] = [];
  const side = (name: keyof Settings): TlsSide => ({
    filesOf: (config) => {
      const certificate = (config as unknown as Settings)[name];
      return {
        cert: { key: `${name}_cert`, path: tlsFile(certificate) },
        key: { key: `${name}_key`, path: tlsFile(`${certificate}-key`) },
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
    (await tls.prepare(configOf(settings), new Set(changed)))();
    return [...renewed];
  };
  assertEquals(await put(first), []);
  assertEquals(await put(first, "clients_key"), ["clients"]);
  assertEquals(await put(first, "servers_key"), ["servers"]);
  assertEquals(await put({ ...first, servers: "other-server" }), ["servers"]);
});
