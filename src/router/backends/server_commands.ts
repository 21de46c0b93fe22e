/**
 * Which commands a server knows, by its own word.
 *
 * @module
 */

import { readCommandReply } from "../../command/command_reply.ts";
import type { TableRow } from "../../command/command_row.ts";
import { findByName } from "../../command/command_table.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import { type AskedServer, ServerFact } from "./server_fact.ts";

const COMMAND = encodeRequest(["COMMAND"]);

/** The commands of one server, as far as the table does not have them like this. */
export class ServerCommands extends ServerFact {
  /** Rows that the table has not, or with another arity, by name; null while it has not said, or may not say. Replaced when it says it again. */
  rows: ReadonlyMap<string, TableRow> | null = null;

  constructor(server: AskedServer) {
    super(server, COMMAND);
  }

  protected take(reply: string): void {
    try {
      const rows = new Map<string, TableRow>();
      for (const [name, row] of readCommandReply(latin1Bytes(reply))) {
        // Copied, so that the whole reply is not kept for parts of it.
        if (findByName(name)?.arity !== row[1]) rows.set(name, JSON.parse(JSON.stringify(row)));
      }
      this.rows = rows;
    } catch {
      // A user without the right to ask, or a program that has no COMMAND: nothing is known of it now.
      this.rows = null;
    }
  }
}
