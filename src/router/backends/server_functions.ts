/**
 * Whether a server knows functions, which Redis has since 7.0.
 *
 * @module
 */

import { encodeRequest } from "../../resp/encoder.ts";
import { type AskedServer, ServerFact } from "./server_fact.ts";

/** Asks for a library that nobody has: the reply is short. */
const LIST = encodeRequest(["FUNCTION", "LIST", "LIBRARYNAME", "codis-proxy"]);

/** See the header. */
export class ServerFunctions extends ServerFact {
  /** Whether it has said that it does not. */
  areUnknown = false;

  constructor(server: AskedServer) {
    super(server, LIST);
  }

  protected take(reply: string): void {
    this.areUnknown = /^-ERR unknown command/i.test(reply);
  }
}
