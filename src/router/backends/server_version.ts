/**
 * Which Redis a server is.
 *
 * @module
 */

import { encodeRequest } from "../../resp/encoder.ts";
import { type AskedServer, ServerFact } from "./server_fact.ts";

const INFO_SERVER = encodeRequest(["INFO", "server"]);

/** The version of one server. */
export class ServerVersion extends ServerFact {
  /** As its INFO said last; empty while that is not known. */
  text = "";

  constructor(server: AskedServer) {
    super(server, INFO_SERVER);
  }

  protected take(reply: string): void {
    this.text = /^redis_version:([\w.-]+)/m.exec(reply)?.[1] ?? this.text;
  }
}
