/**
 * Reads and writes everything that a running Codis 2.0 stored and answered.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { decodeAction, encodeAction } from "../../../src/model/action.ts";
import { decodeDashboard, encodeDashboard } from "../../../src/model/dashboard.ts";
import { decodeGroup, encodeGroup } from "../../../src/model/group.ts";
import { decodeMigrateTask, encodeMigrateTask } from "../../../src/model/migrate_task.ts";
import { decodeProxy, encodeProxy } from "../../../src/model/proxy.ts";
import { decodeServer, encodeServer } from "../../../src/model/server.ts";
import { decodeSlot, encodeSlot } from "../../../src/model/slot.ts";

const FIXTURES = new URL("../../fixtures/codis2/", import.meta.url);

/** Which record lies where, and how it is read and written again. */
const RECORDS: readonly { path: RegExp; copy: (json: string) => string; least: number }[] = [
  { path: /\/slots\/slot_\d+$/, copy: (json) => encodeSlot(decodeSlot(json)), least: 3 },
  { path: /\/group_\d+\/[^/]+$/, copy: (json) => encodeServer(decodeServer(json)), least: 4 },
  { path: /\/proxy\/[^/]+$/, copy: (json) => encodeProxy(decodeProxy(json)), least: 1 },
  { path: /\/actions\/\d+$/, copy: (json) => encodeAction(decodeAction(json)), least: 5 },
  { path: /\/ActionResponse\/\d+$/, copy: (json) => encodeAction(decodeAction(json)), least: 5 },
  {
    path: /\/ActionResponse\/\d+\/[^/]+$/,
    copy: (json) => encodeProxy(decodeProxy(json)),
    least: 1,
  },
  {
    path: /\/migrate_tasks\/\d+$/,
    copy: (json) => encodeMigrateTask(decodeMigrateTask(json)),
    least: 2,
  },
  { path: /\/dashboard$/, copy: (json) => encodeDashboard(decodeDashboard(json)), least: 1 },
];

Deno.test("every node of a recorded Codis 2.0 tree is written back byte for byte", async () => {
  const tree: Record<string, { data: string }> = JSON.parse(
    await Deno.readTextFile(new URL("zookeeper-tree.json", FIXTURES)),
  );
  const counts = RECORDS.map(() => 0);
  for (const [path, { data }] of Object.entries(tree)) {
    if (data === "") continue;
    const row = RECORDS.findIndex((record) => record.path.test(path));
    assert(row >= 0, `no record is known for ${path}`);
    assertEquals(RECORDS[row]!.copy(data), data, path);
    counts[row]!++;
  }
  for (const [row, record] of RECORDS.entries()) {
    assert(counts[row]! >= record.least, `${record.path} was met ${counts[row]} times`);
  }
});

async function readAnswer(name: string): Promise<unknown> {
  return JSON.parse(await Deno.readTextFile(new URL(`rest/${name}.json`, FIXTURES)));
}

Deno.test("recorded REST answers hold the same records", async () => {
  const copies: [answer: unknown[], copy: (json: string) => string][] = [
    [[await readAnswer("GET_slot_1")], (json) => encodeSlot(decodeSlot(json))],
    [
      await readAnswer("GET_server_groups") as unknown[],
      (json) => encodeGroup(decodeGroup(json)),
    ],
    [await readAnswer("GET_proxy_list") as unknown[], (json) => encodeProxy(decodeProxy(json))],
  ];
  for (const [answer, copy] of copies) {
    assert(answer.length > 0);
    for (const record of answer) {
      const json = JSON.stringify(record);
      assertEquals(copy(json), json);
    }
  }
});
