/**
 * A server as each of the connections to it sees it.
 *
 * @module
 */

import type { RouterOptions } from "../options.ts";
import type { CarrierServer } from "./carrier.ts";
import type { Circuit } from "./circuit.ts";
import type { GreetedServer } from "./handshake.ts";
import type { LostAddress } from "./lost_address.ts";
import type { Lateness, OwingServer } from "./reply_deadline.ts";
import type { ReplySemaphore } from "./reply_semaphore.ts";
import type { TimedServer } from "./sent_queue.ts";

/** A backend's server. */
export interface BackendHost<Backend>
  extends GreetedServer, CarrierServer, OwingServer, TimedServer {
  readonly hostname: string;
  readonly port: number;
  readonly options: RouterOptions;
  readonly lostAddress: LostAddress;
  /** What counts the large replies that it is asked for. */
  readonly largeReplies: ReplySemaphore;
  /** Whether clients wait until they may ask it for a large reply. */
  readonly isAwaited: boolean;
  /** Whether requests are refused that it would not answer in time. */
  readonly circuit: Circuit;
  becameReady(backend: Backend): void;
  lost(backend: Backend, cause: string, wasReady: boolean): void;
  /** It answers too late over a connection, which is given up where it is silent. */
  isLate(backend: Backend, cause: string, lateness: Lateness): void;
  closed(backend: Backend): void;
}
