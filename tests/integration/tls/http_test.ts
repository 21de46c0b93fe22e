/**
 * Dashboard, admin, config commands and proxies speak HTTP over TLS with each other, and to nobody else.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { configText, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { tlsFile, tlsText } from "../../support/tls.ts";

Deno.test("a proxy, a dashboard and a config command trust each other over https", async (test) => {
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir();
  const [port, http, dashboard] = [freePort(), freePort(), freePort()];
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const put = async (name: "server" | "other-server") => {
    await Deno.writeTextFile(key, tlsText(`${name}-key`));
    await Deno.writeTextFile(cert, tlsText(name));
  };
  await put("server");
  const authorities = `${folder}/ca.pem`;
  await Deno.writeTextFile(authorities, tlsText("ca") + tlsText("other-ca"));
  const config = `${folder}/config.ini`;
  await Deno.writeTextFile(
    config,
    configText({
      embedded_dir: `${folder}/data`,
      servers: redis.addr,
      dashboard_addr: `https://127.0.0.1:${dashboard}`,
      announce_http_addr: `127.0.0.1:${http}`,
      http_tls_cert: cert,
      http_tls_key: key,
      dashboard_ca: authorities,
    }),
  );
  const start = (...words: string[]) =>
    startProgram([...words, "-c", config], { TMPDIR: folder }, folder);
  const proxy = start(
    "proxy",
    "--cpu=1",
    `--addr=127.0.0.1:${port}`,
    `--http-addr=127.0.0.1:${http}`,
  );
  const service = start("dashboard", `--addr=127.0.0.1:${dashboard}`);
  const client = Deno.createHttpClient({ caCerts: [tlsText("ca")] });
  const get = async (port: number, path: string) => {
    const response = await fetch(`https://127.0.0.1:${port}${path}`, { client });
    return { status: response.status, text: await response.text() };
  };
  try {
    await proxy.waitFor(() => proxy.stderr.includes("serving on"));
    await service.waitFor(() => service.stderr.includes("this dashboard leads"));

    await test.step("both answer over TLS, and nothing without it", async () => {
      assertEquals((await get(http, "/healthz")).status, 200);
      assertMatch((await get(dashboard, "/api/overview")).text, /"product"/);
      for (const each of [http, dashboard]) {
        await assertRejects(() => fetch(`http://127.0.0.1:${each}/healthz`));
      }
    });

    await test.step("the dashboard reads the proxy's stats", async () => {
      await until(async () =>
        /"problem": ?""/.test((await get(dashboard, "/api/cluster")).text) &&
        /"ops": ?\d/.test((await get(dashboard, "/api/cluster")).text)
      );
    });

    await test.step("config commands reach it, by dashboard_addr and by --dashboard", async () => {
      for (const words of [[], [`--dashboard=https://127.0.0.1:${dashboard}`]]) {
        const status = start("config", "status", ...words);
        assertEquals((await status.ended).code, 0, status.stderr);
        assertMatch(status.stdout, /proxy_1/);
      }
      const none = startProgram(
        ["config", "slot", "info", "1", `--dashboard=https://127.0.0.1:${dashboard}`],
        {},
        folder,
      );
      assertEquals((await none.ended).code, 0, none.stderr);
    });

    await test.step("a dashboard that cannot be trusted is refused with the reason", async () => {
      await Deno.writeTextFile(
        `${folder}/strict.ini`,
        `dashboard_ca = ${tlsFile("other-ca")}\n` +
          `dashboard_addr = https://127.0.0.1:${dashboard}\nembedded_dir = ${folder}/data\n`,
      );
      const status = startProgram(["config", "status", "-c", `${folder}/strict.ini`], {}, folder);
      assertEquals((await status.ended).code, 1);
      const why = "its certificate is not signed by an authority that we trust (dashboard_ca)";
      assertStringIncludes(status.stderr, `cannot be reached: ${why}`);
      const words = ["reload", "-c", `${folder}/strict.ini`, `--http-addr=127.0.0.1:${dashboard}`];
      const reload = startProgram(words, {}, folder);
      assertEquals((await reload.ended).code, 1);
      assertStringIncludes(reload.stderr, `/api/reload: ${why}`);
    });

    await test.step("a new certificate is served, while they go on to trust each other", async () => {
      await put("other-server");
      for (const each of [proxy, service]) each.signal("SIGHUP");
      for (const each of [proxy, service]) {
        await each.waitFor(() => each.stderr.includes("http_tls_cert, http_tls_key read again"));
      }
      const young = Deno.createHttpClient({ caCerts: [tlsText("other-ca")] });
      for (const each of [http, dashboard]) {
        const response = await fetch(`https://127.0.0.1:${each}/healthz`, { client: young });
        assertEquals((await response.text()).length > 0, true);
      }
      young.close();
    });

    await test.step("a certificate in another file is served when the config names that", async () => {
      await Deno.writeTextFile(
        config,
        `http_tls_cert = ${tlsFile("server")}\nhttp_tls_key = ${tlsFile("server-key")}\n`,
        { append: true },
      );
      for (const each of [proxy, service]) each.signal("SIGHUP");
      for (const each of [proxy, service]) {
        await each.waitFor(() => /read again: http_tls_cert .* → /.test(each.stderr));
      }
      const young = Deno.createHttpClient({ caCerts: [tlsText("ca")] });
      for (const each of [http, dashboard]) {
        const response = await fetch(`https://127.0.0.1:${each}/healthz`, { client: young });
        assertEquals((await response.text()).length > 0, true);
      }
      young.close();
    });

    await test.step("a reload warns of a certificate of an authority that is trusted no longer", async () => {
      const warning =
        `the certificate is not signed by an authority of dashboard_ca = "${authorities}"`;
      for (const each of [proxy, service]) assertEquals(each.stderr.includes(warning), false);
      await Deno.writeTextFile(authorities, tlsText("other-ca"));
      for (const each of [proxy, service]) {
        each.signal("SIGHUP");
        await each.waitFor(() => each.stderr.includes(warning));
      }
    });

    await test.step("the level of the log changes while a file cannot be read", async () => {
      await Deno.remove(authorities);
      assertEquals((await get(http, "/setloglevel?level=debug")).status, 200);
    });
  } finally {
    client.close();
    await proxy.end("SIGTERM");
    await service.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  }
});
