import { assert, assertEquals, assertThrows } from "@std/assert";
import { AccessLog } from "../../../src/proxy/access_log.ts";

const KB = 1024;

Deno.test("files of the access log roll between lines, and the oldest are deleted", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const log = AccessLog.open({ accessLog: `${folder}/a`, logMaxBytes: 64 * KB, logFiles: 3 })!;
    const line = `${JSON.stringify({ command: "get", padding: "x".repeat(200) })}\n`;
    const writes = Array.from({ length: 8 }, () => log.write(line.repeat(200)));
    assertEquals(await Promise.all(writes), writes.map(() => true));
    log.close();
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(names.length, 3);
    assert(!names.includes("a.0"), String(names));
    for (const name of names) {
      const text = await Deno.readTextFile(`${folder}/${name}`);
      assert(text.length <= 64 * KB && text.endsWith(line), `${name}: ${text.length}`);
      for (const each of text.trimEnd().split("\n")) assertEquals(`${each}\n`, line);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what access_log names is opened at once, or an error says which file", () => {
  const limits = { logMaxBytes: KB, logFiles: 1 };
  for (const name of ["", "off"]) {
    assertEquals(AccessLog.open({ ...limits, accessLog: name }), undefined);
  }
  assertThrows(
    () => AccessLog.open({ ...limits, accessLog: "/nowhere/a" }),
    Error,
    'access_log: cannot open log file "/nowhere/a.0"',
  );
});
