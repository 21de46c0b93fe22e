/**
 * What the shapes of records take and refuse.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { decodeAction, encodeAction } from "../../../src/model/action.ts";
import { decodeGroup, encodeGroup } from "../../../src/model/group.ts";
import { encodeLockOwner } from "../../../src/model/lock_owner.ts";
import { decodeProxy, formatStartAt } from "../../../src/model/proxy.ts";
import { RecordError } from "../../../src/model/record.ts";
import { decodeSlot, encodeSlot, freshSlot } from "../../../src/model/slot.ts";

Deno.test("freshSlot() is what Codis 2.0's slot init writes", () => {
  assertEquals(
    encodeSlot(freshSlot("test20", 7)),
    '{"product_name":"test20","id":7,"group_id":-1,"state":{"status":"offline",' +
      '"migrate_status":{"from":-1,"to":-1},"last_op_ts":"0"}}',
  );
});

Deno.test("encode ignores the order in which a record was put together", () => {
  const { product_name, id, group_id, state } = freshSlot("p", 1);
  const shuffled = { state, group_id, id, product_name };
  assertEquals(encodeSlot(shuffled), encodeSlot(freshSlot("p", 1)));
});

Deno.test("encode keeps no field that is not the record's", () => {
  const group = { id: 1, product_name: "p", servers: null, colour: "red" };
  assertEquals(encodeGroup(group), '{"id":1,"product_name":"p","servers":null}');
});

Deno.test("decode ignores unknown fields and reads missing ones as Go does", () => {
  assertEquals(decodeGroup('{"id":3,"colour":"red"}'), { id: 3, product_name: "", servers: null });
  assertEquals(decodeProxy('{"id":"p","state":"online"}').addr, "");
});

Deno.test("encode escapes what Go escapes", () => {
  assertEquals(
    encodeLockOwner({ desc: "a<b>&\u2028", hostname: 'h"', pid: 1 }),
    '{"desc":"a\\u003cb\\u003e\\u0026\\u2028","hostname":"h\\"","pid":1}',
  );
});

const BAD: readonly [read: () => unknown, message: string][] = [
  [() => decodeSlot(""), "slot is not JSON: "],
  [() => decodeSlot("[]"), "slot must be an object, not []"],
  [() => decodeSlot("null"), "slot must be an object, not null"],
  [() => decodeSlot('{"id":1.5}'), "slot.id must be a whole number, not 1.5"],
  [() => decodeSlot('{"id":"1"}'), 'slot.id must be a whole number, not "1"'],
  [() => decodeSlot('{"id":1}'), "slot.state must be an object, not missing"],
  [
    () => decodeSlot('{"id":1,"state":{"status":"lost"}}'),
    'slot.state.status must be one of online, offline, migrate, pre_migrate, not "lost"',
  ],
  [
    () => decodeGroup('{"servers":[{"type":"master","group_id":1,"addr":2}]}'),
    "group.servers[0].addr must be a string, not 2",
  ],
  [() => decodeAction('{"type":"slot_lost"}'), "action.type must be one of slot_changed, "],
  [
    () => decodeAction('{"type":"multi_slot_changed","target":{"from":0,"to":[]}}'),
    "action.target.to must be a whole number, not []",
  ],
];

for (const [read, message] of BAD) {
  Deno.test(`decode complains: ${message}`, () => {
    assertThrows(read, RecordError, message);
  });
}

Deno.test("decodeAction() and encodeAction() know every type", () => {
  const slot = freshSlot("p", 1);
  const group = { id: 1, product_name: "p", servers: [] };
  const rest = { desc: "", ts: "1", receivers: ["{}"] };
  for (const type of ["slot_changed", "slot_premigrate", "slot_migrate"] as const) {
    const action = { type, target: slot, ...rest };
    assertEquals(decodeAction(encodeAction(action)), action);
  }
  for (const type of ["group_changed", "group_remove"] as const) {
    const action = { type, target: group, ...rest };
    assertEquals(decodeAction(encodeAction(action)), action);
  }
});

Deno.test("formatStartAt() prints a time as Go does", () => {
  const at = Date.UTC(2015, 6, 5, 0, 23, 29, 669);
  assertEquals(formatStartAt(at + 0.5), "2015-07-05 00:23:29.6695 +0000 UTC");
  assertEquals(formatStartAt(at), "2015-07-05 00:23:29.669 +0000 UTC");
  assertEquals(formatStartAt(Date.UTC(2015, 6, 5)), "2015-07-05 00:00:00 +0000 UTC");
  assertEquals(formatStartAt(Date.UTC(2015, 6, 5, 0, 0, 10)), "2015-07-05 00:00:10 +0000 UTC");
});
