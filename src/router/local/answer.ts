/**
 * Commands that the proxy answers itself: one table from name to answer.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import type { Client } from "../client/client.ts";
import { wait } from "../blocking/wait.ts";
import { ACL_COMMANDS } from "./acl.ts";
import { auth } from "./auth.ts";
import { CLIENT_COMMANDS } from "./client.ts";
import { CLUSTER_COMMANDS } from "./cluster.ts";
import { COMMAND_COMMANDS } from "./command.ts";
import { CONFIG_COMMANDS } from "./config.ts";
import { CONNECTION_COMMANDS } from "./connection.ts";
import { HOT_KEY_COMMANDS } from "./hot_keys.ts";
import { info, time } from "./info.ts";
import { LATENCY_COMMANDS } from "./latency.ts";
import type { LocalAnswer } from "./local_call.ts";
import { PUBSUB_COMMANDS } from "./pubsub.ts";
import { SERVER_COMMANDS } from "./server.ts";
import { OVERSIGHT_COMMANDS } from "./oversight.ts";
import { SLOW_LOG_COMMANDS } from "./slow_log.ts";
import { slotsHashKey, slotsMapping } from "./slots.ts";
import { TRACKING_COMMANDS } from "./tracking.ts";
import { STATISTICS_COMMANDS } from "./statistics.ts";

const ANSWERS: Readonly<Record<string, LocalAnswer>> = {
  auth,
  ...ACL_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...CLIENT_COMMANDS,
  ...OVERSIGHT_COMMANDS,
  ...TRACKING_COMMANDS,
  ...COMMAND_COMMANDS,
  ...CLUSTER_COMMANDS,
  ...PUBSUB_COMMANDS,
  ...CONFIG_COMMANDS,
  ...SERVER_COMMANDS,
  ...STATISTICS_COMMANDS,
  ...SLOW_LOG_COMMANDS,
  ...HOT_KEY_COMMANDS,
  ...LATENCY_COMMANDS,
  info,
  time,
  wait,
  waitaof: wait,
  slotshashkey: slotsHashKey,
  slotsmapping: slotsMapping,
};

/** Answers a command of the table's `local` rows. Borrows the arguments until it returns. */
export function answerLocally(client: Client, command: Command, args: Arguments): void {
  const answer = ANSWERS[command.name];
  if (answer === undefined) throw new Error(`no answer for local command "${command.name}"`);
  const reply = answer({ client, command, args });
  if (reply === null) return;
  client.shared.stats.answered(command.id, 0, reply[0] === 45 /* - */);
  client.replies.answeredAtOnce(command, reply);
  client.answer(reply);
}
