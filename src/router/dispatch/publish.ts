/**
 * PUBLISH and SPUBLISH.
 *
 *      to the owner of the channel's slot ─► reply ─► client
 *      of a client that may be subscribed ─► reply ─► its own message has come ─► client
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import type { ClientSubscriptions } from "../pubsub/client_subscriptions.ts";
import type { Slot } from "../slots/slot.ts";
import { sendToSlot } from "./forward.ts";
import { Gather } from "./gather.ts";

/**
 * Sends a message to the owner of its channel's slot, where it is counted in flight, as requests with keys
 * are: so it reaches subscribers in the order in which it was sent, also while the slot moves. It does not
 * overtake a SUBSCRIBE that was read earlier. Borrows the parser's bytes until it returns.
 */
export function publish(client: Client, command: Command, parser: RequestParser): void {
  const { channelIndex } = command;
  const { bytes, requestStart, requestEnd } = parser;
  const { all, placement } = client.shared.slots;
  const hash = placement.hashOf(bytes, parser.start(channelIndex), parser.end(channelIndex));
  const slot = all[hash & (SLOT_COUNT - 1)]!;
  if (client.shared.subscribing.holds(client, [slot.id])) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  const { subscriptions } = client;
  if (subscriptions?.isSubscribed === true) {
    return publishAndHear(client, subscriptions, command, slot, parser);
  }
  sendToSlot(client, command, slot, hash, null, bytes, requestStart, requestEnd);
}

/** As Redis: of its own message a client hears before the reply that counts it. */
function publishAndHear(
  client: Client,
  subscriptions: ClientSubscriptions,
  command: Command,
  slot: Slot,
  { bytes, requestStart, requestEnd }: RequestParser,
): void {
  const { replies } = client;
  const parent = replies.park(command);
  replies.charge(parent, requestEnd - requestStart);
  const gather = new Gather(client, parent, 1, ([reply]) => {
    const copy = reply!.bytes.slice();
    subscriptions.heardAll(part.backend?.server, () => replies.completed(parent, copy));
    return null;
  });
  const part = gather.part();
  slot.send(part, bytes, requestStart, requestEnd);
}
