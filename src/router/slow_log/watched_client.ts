/**
 * A client as those see it who look at its requests.
 *
 * @module
 */

import type { RequestParser } from "../../resp/request_parser.ts";

/** See the header. */
export interface WatchedClient {
  /** Has found the request that is being dispatched. */
  readonly parser: RequestParser;
  readonly remote: string;
  readonly info: { readonly name: string };
  readonly user: { readonly name: string };
  readonly database: number;
}

/** How a request ended. `failed`: by the proxy's own error; `left`: the client was gone before all was written. */
export type RequestEnd = "answered" | "failed" | "left";
