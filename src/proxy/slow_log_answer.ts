/**
 * `/slowlog`: slow requests with their stages, and the events of LATENCY.
 *
 * @module
 */

import { textOfBytes } from "../acl/users.ts";
import type { SlowLogAnswer } from "../api/slow_log.ts";
import { sumEvents } from "../router/slow_log/latency_events.ts";
import { mergeSlow, type SlowLogReading } from "../router/slow_log/slow_log.ts";

/** What all workers have, as it is answered: texts are UTF-8 where they can be. */
export function slowLogAnswer(readings: readonly SlowLogReading[]): SlowLogAnswer {
  return {
    entries: mergeSlow(readings).map((slow) => ({
      id: slow.id,
      at: slow.atMs,
      usecs: slow.usecs,
      stages: slow.stages,
      command: slow.command,
      args: slow.args.map(textOfBytes),
      client: slow.client,
      client_name: textOfBytes(slow.clientName),
      user: textOfBytes(slow.user),
      server: slow.server,
      slot: slow.slot,
      request_bytes: slow.requestBytes,
      reply_bytes: slow.replyBytes,
      end: slow.end,
    })),
    events: sumEvents(readings.map(({ events }) => events)).map(({ name, maxMs, samples }) => ({
      name,
      max_ms: maxMs,
      samples,
    })),
  };
}
