/**
 * Codis's commands about slots: which slot a key has, and which server a slot.
 *
 * @module
 */

import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { Encoder, errorReply } from "../../resp/encoder.ts";
import { clientText, wrongArity } from "../errors.ts";
import { argumentText, type LocalCall } from "./local_call.ts";

/** Codis 3.2's `SLOTSHASHKEY key [key …]`: the slot of each key. */
export function slotsHashKey({ client, args }: LocalCall): Uint8Array {
  const { placement } = client.shared.slots;
  const out = new Encoder(2).array(args.count - 1);
  for (let i = 1; i < args.count; i++) {
    out.integer(placement.slotIdOf(args.bytes, args.start(i), args.end(i)));
  }
  return out.done();
}

/** The slot that an argument names, or what Codis 3.2 says of it. */
export function namedSlot(args: Arguments, index: number): number | string {
  const text = argumentText(args, index);
  const failed = (why: string) => `ERR parse slotnum '${clientText(text)}' failed, ${why}`;
  const syntax = `strconv.ParseInt: parsing "${clientText(text)}"`;
  if (!/^[+-]?\d+$/.test(text)) return failed(`${syntax}: invalid syntax`);
  const number = BigInt(text.replace("+", ""));
  if (BigInt.asIntN(64, number) !== number) return failed(`${syntax}: value out of range`);
  return number >= 0n && number < SLOT_COUNT ? Number(number) : failed("out of range");
}

/** Codis 3.2's `SLOTSMAPPING [slot]`: per slot `[id, owner, migrating from, replicas]`. */
export function slotsMapping({ client, args }: LocalCall): Uint8Array {
  const slots = client.shared.slots.all;
  if (args.count > 2) return errorReply(wrongArity("SLOTSMAPPING"));
  const out = new Encoder(client.protocol);
  let shown = slots;
  if (args.count === 2) {
    const slotId = namedSlot(args, 1);
    if (typeof slotId === "string") return errorReply(slotId);
    shown = [slots[slotId]!];
  } else {
    out.array(slots.length);
  }
  for (const slot of shown) {
    out.array(4).simple(String(slot.id)).simple(slot.server?.address ?? "")
      .simple(slot.migrateFrom?.address ?? "").nullArray();
  }
  return out.done();
}
