/**
 * `check`: a configuration is tried before a process has to work with it.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { freePort } from "../../support/free_port.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";
import { tlsFile } from "../../support/tls.ts";

/** Nobody listens there. */
const PLACE = `--http-addr=127.0.0.1:${freePort()}`;
const NOBODY = `no process runs at ${PLACE} to compare with\n`;

/** The exit code, and what is printed of a configuration with these lines. */
async function check(...lines: string[]): Promise<[number, string]> {
  return await checkBy(callCli, ...lines);
}

/** The same by a process of its own: one that reads dashboard_ca asks others over https from then on. */
async function checkApart(...lines: string[]): Promise<[number, string]> {
  const call = async (...words: string[]) => {
    const child = startProgram(words);
    const { code } = await child.ended;
    return { code, stdout: child.stdout };
  };
  return await checkBy(call, ...lines);
}

async function checkBy(
  call: (...words: string[]) => Promise<{ code: number; stdout: string }>,
  ...lines: string[]
): Promise<[number, string]> {
  const file = await Deno.makeTempFile({ suffix: ".ini" });
  try {
    await Deno.writeTextFile(file, lines.join("\n"));
    const { code, stdout } = await call("check", "-c", file, PLACE);
    return [code, stdout.replace(NOBODY, "").replaceAll(`${file}:`, "config.ini:").trim()];
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("check finds files that the process could not write, and makes none", async () => {
  for (const key of ["log_file", "access_log", "audit_log"]) {
    const [code, text] = await check(`${key} = /nowhere/x.log`);
    assertEquals([code, text], [
      1,
      `error: config.ini:1: ${key} = "/nowhere/x.log": no folder "/nowhere"`,
    ]);
    const folder = await Deno.makeTempDir();
    assertEquals((await check(`${key} = ${folder}/x.log`))[0], 0);
    assertEquals([...Deno.readDirSync(folder)], []);
    await Deno.remove(folder);
  }
  const file = await Deno.makeTempFile();
  assertEquals(await check(`failover_lost_writes_dir = ${file}`), [
    1,
    `error: config.ini:1: failover_lost_writes_dir = "${file}": this is no folder`,
  ]);
  assertEquals((await check(`failover_lost_writes_dir = ${file}-made-later`))[0], 0);
  await Deno.remove(file);
  const ofDashboard = ["audit_log = /nowhere/x.log", "dashboard_addr = 127.0.0.1:18087"];
  assertEquals((await check(...ofDashboard))[0], 0, "another process writes it");
  for (const line of ["log_file = -", "access_log = stdout", "access_log = off"]) {
    assertEquals((await check(line))[0], 0);
  }
});

Deno.test("check finds places where nothing can be written", async () => {
  const files = ["log_file", "access_log", "audit_log"];
  const folders = ["history_dir", "failover_lost_writes_dir"];
  for (const key of [...files, ...folders]) {
    const [code, text] = await check(`${key} = /proc/x`);
    assertEquals([code, text], [
      1,
      `error: config.ini:1: ${key} = "/proc/x": files below /dev, /proc and /sys cannot be used`,
    ]);
  }
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/audit.log`, "kept\n");
    const lines = [
      `audit_log = ${folder}/audit.log`,
      `embedded_dir = ${folder}/a/b`,
      `history_dir = ${folder}/history`,
    ];
    assertEquals(await check(...lines), [0, "ok: no error was found"]);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["audit.log"]);
    assertEquals(await Deno.readTextFile(`${folder}/audit.log`), "kept\n");
    for (const key of folders) {
      const [, text] = await check(`${key} = ${folder}/audit.log/x`);
      assertStringIncludes(text, "Not a directory");
    }
    const [, text] = await check(`audit_log = ${folder}`);
    assertStringIncludes(
      text,
      `audit_log = "${folder}": this cannot be written to: Is a directory`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("check names the line of a file with certificates that cannot be used", async () => {
  const https = "dashboard_addr = https://127.0.0.1:1";
  assertEquals(await check(https, "dashboard_ca = /nowhere.pem"), [
    1,
    'error: config.ini:2: dashboard_ca = "/nowhere.pem": no such file',
  ]);
  const key = tlsFile("server-key");
  assertEquals(await check("webhook_url = https://hooks.test/", "", `webhook_ca = ${key}`), [
    1,
    `error: config.ini:3: webhook_ca = "${key}": has no certificate in PEM form`,
  ]);
});

Deno.test("check says plainly what answers no Redis command, and what no HTTP client asks", async () => {
  using raw = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  void (async () => {
    for await (const conn of raw) {
      await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")).catch(
        () => {},
      );
      conn.close();
    }
  })();
  const addr = `127.0.0.1:${(raw.addr as Deno.NetAddr).port}`;
  const [code, text] = await check(`servers = ${addr}`);
  assertEquals(code, 1);
  assertEquals(
    text.split("\n")[0],
    `error: server ${addr}: not Redis's protocol: a reply begins with byte 0x48`,
  );
  const { stdout, stderr } = await callCli("check", "-c", "/dev/null", "--http-addr=127.0.0.1:1");
  assertStringIncludes(stdout + stderr, "HTTP clients refuse port 1, as browsers do");
});

Deno.test("check says plainly that no store can be at a place, as the start does", async () => {
  assertEquals(await check("embedded_dir = /proc/self/store"), [
    1,
    'error: coordinator embedded: cannot open embedded_dir "/proc/self/store": files below /dev, /proc ' +
    "and /sys cannot be used",
  ]);
});

Deno.test("check says that servers is ignored because the store has others, as the start does", async () => {
  await using folder = await StoreFolder.make();
  await using redis = await RedisServer.start();
  await (await folder.openFilled(redis.addr)).coordinator.close();
  const place = `embedded_dir = ${folder.dir}`;
  // Nobody is to reach a server that is not used.
  assertEquals(await check(place, "servers = 127.0.0.1:1"), [
    0,
    "warning: config.ini:2: servers = 127.0.0.1:1 is ignored: the store is not empty and has " +
    `${redis.addr}\nok: no error was found`,
  ]);
  assertEquals(await check(place, `servers = ${redis.addr}`), [0, "ok: no error was found"]);
});

Deno.test("check warns of a certificate that the other processes of the product will refuse", async () => {
  const [cert, key] = [tlsFile("server"), tlsFile("server-key")];
  const checked = (ca: "ca" | "other-ca") =>
    checkApart(`http_tls_cert = ${cert}`, `http_tls_key = ${key}`, `dashboard_ca = ${tlsFile(ca)}`);
  assertEquals((await checked("ca"))[1].includes("not signed"), false);
  const [code, text] = await checked("other-ca");
  assertEquals(code, 0, text);
  assertStringIncludes(
    text,
    `warning: config.ini:1: http_tls_cert = "${cert}": the certificate is not signed by an authority of ` +
      `dashboard_ca = "${tlsFile("other-ca")}": the other processes of the product will refuse it`,
  );
});

Deno.test("check warns of a certificate that has expired", async () => {
  const [cert, key] = [tlsFile("expired"), tlsFile("expired-key")];
  const [code, text] = await check(
    "tls_addr = 127.0.0.1:1",
    `tls_cert = ${cert}`,
    `tls_key = ${key}`,
  );
  assertEquals(code, 0);
  assertEquals(
    text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, "…"),
    `warning: config.ini:2: tls_cert = "${cert}": the certificate expired at …: others will refuse it\n` +
      "ok: no error was found",
  );
});
