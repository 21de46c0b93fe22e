/**
 * Codis's commands about slots: which slot a key has, and which server a slot.
 *
 * @module
 */

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

/** Codis 3.2's `SLOTSMAPPING [slot]`: per slot `[id, owner, migrating from, replicas]`. */
export function slotsMapping({ client, args }: LocalCall): Uint8Array {
  const slots = client.shared.slots.all;
  if (args.count > 2) return errorReply(wrongArity("slotsmapping"));
  const out = new Encoder(2);
  let shown = slots;
  if (args.count === 2) {
    const text = argumentText(args, 1);
    const slot = /^\d{1,4}$/.test(text) ? slots[Number(text)] : undefined;
    if (slot === undefined) {
      return errorReply(`ERR parse slotnum '${clientText(text)}' failed, out of range`);
    }
    shown = [slot];
  } else {
    out.array(slots.length);
  }
  for (const slot of shown) {
    out.array(4).simple(String(slot.id)).simple(slot.server?.address ?? "")
      .simple(slot.migrateFrom?.address ?? "").array(0);
  }
  return out.done();
}
