/**
 * Decides what happens to a parsed request: the one place where all kinds of commands part ways.
 *
 *      admitted? ─┬─ forward ─► keys ─► one slot ─► its server
 *                 ├─ split ──► parts by server ─► merge
 *                 ├─ fan out ► every server ────► merge
 *                 └─ local ──► answered here
 *
 * @module
 */

import { findCommand } from "../../command/command_table.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { answerLocally } from "../local/answer.ts";
import { admit } from "./admit.ts";
import { fanOut } from "./fan_out.ts";
import { forward } from "./forward.ts";
import { split } from "./split.ts";
import { waitsForFunctions } from "./undeclared_keys.ts";

/** Dispatches the request that `parser` found. Borrows its bytes until it returns. */
export function dispatch(client: Client, parser: RequestParser): void {
  const command = findCommand(parser);
  if (command?.caution === "function" && waitsForFunctions(client, parser)) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  if (command !== undefined) client.lastCommand = command;
  const refusal = admit(client, command, parser, parser.count);
  if (refusal !== "" || command === undefined) {
    client.answer(errorReply(refusal));
    if (command?.closesSession && refusal === command.refusal) client.drain();
    return;
  }
  switch (command.handling) {
    case "forward":
      return forward(client, command, parser);
    case "split":
      return split(client, command, parser);
    case "fanout":
      return fanOut(client, command, parser);
    case "local":
      return answerLocally(client, command, parser);
    case "refuse":
      throw new Error(`"${command.name}" was admitted`);
  }
}
