/**
 * WATCH: a link to the server of the keys, over which EXEC will go.
 *
 *      WATCH ─► all earlier settled ─► its slot usable ─► link to its server ─► WATCH ─► +OK
 *
 * Earlier writes of the client go over other connections: they must be done before its keys are watched,
 * else they would touch them.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { encodeRequest, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Link } from "../backends/link.ts";
import { LinkCall } from "../backends/link_call.ts";
import { openLink } from "../backends/link_wait.ts";
import type { Client } from "../client/client.ts";
import { WatchedSlot } from "../client/watched_slot.ts";
import { TRANSACTION_CROSS_SLOT } from "../errors.ts";
import type { Slot } from "../slots/slot.ts";
import { whenUsable } from "../slots/when_usable.ts";

const OK = utf8("+OK\r\n");

/** Watches keys, unless the client must wait for its earlier requests. Borrows the parser's bytes. */
export function watchKeys(client: Client, command: Command, parser: RequestParser): void {
  const { refusal, options } = client.shared;
  const bySlot = keysBySlot(client, parser);
  if (!options.multiSlotTransactions) {
    const slots = new Set([...client.watches.map(({ slot }) => slot), ...bySlot.keys()]);
    if (slots.size > 1) return refuse(client, TRANSACTION_CROSS_SLOT);
  }
  if (refusal !== "") return refuse(client, refusal);
  if (client.watches.some(({ isTouched }) => isTouched)) return client.answer(OK); // as in Redis
  if (client.depth > 0) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  const parked = client.replies.park(command);
  client.isAtBarrier = true;
  const left = [...bySlot];
  const next = (error: string) => {
    const first = left.shift();
    if (error !== "" || first === undefined) {
      if (error !== "") doubt(client);
      client.replies.completed(parked, error === "" ? OK : errorReply(error));
    } else {
      watchSlot(client, first[0], first[1], next);
    }
  };
  next("");
}

function refuse(client: Client, text: string): void {
  doubt(client);
  client.answer(errorReply(text));
}

/**
 * Keys could not be watched. What the client has sent behind WATCH already, it has sent without knowing
 * that: a transaction among it must not be executed without its guard.
 */
function doubt(client: Client): void {
  if (client.unreadBytes === 0) return;
  const watch = new WatchedSlot(client.shared.slots.all[0]!);
  watch.isTouched = true;
  client.watches = [...client.watches, watch];
}

function keysBySlot(client: Client, parser: RequestParser): Map<Slot, string[]> {
  const { all, placement } = client.shared.slots;
  const bySlot = new Map<Slot, string[]>();
  for (let i = 1; i < parser.count; i++) {
    const [from, to] = [parser.start(i), parser.end(i)];
    const slot = all[placement.slotIdOf(parser.bytes, from, to)]!;
    const keys = bySlot.get(slot);
    const key = latin1(parser.bytes, from, to);
    if (keys === undefined) bySlot.set(slot, [key]);
    else keys.push(key);
  }
  return bySlot;
}

/** Watches keys of one slot. */
function watchSlot(
  client: Client,
  slot: Slot,
  keys: readonly string[],
  done: (error: string) => void,
): void {
  const { database, protocol, replies, shared: { options } } = client;
  const known = client.watches.find((watch) => watch.slot === slot);
  const watch = known ?? new WatchedSlot(slot);
  const ask = (error: string) => {
    if (error !== "" || watch.link === null) return done(error); // without a link, EXEC answers nil
    const request = encodeRequest(["WATCH", ...keys.map(latin1Bytes)]);
    new LinkCall(slot, (_reply, error) => {
      if (error === "" && known === undefined) client.watches = [...client.watches, watch];
      else if (known === undefined) watch.cancel();
      done(error);
    }).send(watch.link, request);
  };
  const attempt = (link: Link | null) => {
    whenUsable(slot, [{ database, keys }], options.slotWaitMs, (error) => {
      if (error !== "" || replies.isGone || (link !== null && link.server !== slot.server)) {
        link?.giveBack(true);
        if (error !== "" || replies.isGone) return done(error);
        return attempt(null); // the slot has changed hands meanwhile
      }
      if (known !== undefined) return known.adapt(client, ask);
      if (link === null) {
        openLink(slot.server!, database, protocol, client, watch, (link, error) => {
          if (link === null) done(error);
          else attempt(link);
        });
        return;
      }
      watch.begin(link);
      ask("");
    });
  };
  attempt(null);
}
