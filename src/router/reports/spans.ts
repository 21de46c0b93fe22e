/**
 * Requests as OpenTelemetry spans, by Deno's own support: `OTEL_DENO=true` in the environment switches it on,
 * and Deno exports them, in the background, as the other OTEL_ variables say.
 *
 *     request ─► span, kind client       attributes: the semantic conventions for databases
 *     stage ───► event at its beginning  attribute: how long it took
 *
 * No key, value or argument is in a span.
 *
 * @module
 */

import {
  type Attributes,
  ProxyTracerProvider,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { parseListenAddress } from "../../base/address.ts";
import { STAGE_NAMES } from "../slow_log/stages.ts";
import type { ReportedRequest } from "./reported_request.ts";

/** The scope of our spans; those that Deno makes of HTTP requests have `deno`. */
const SCOPE = "codis-proxy";
/** An address, and no name. */
const IP = /^[\d.]+$|:/;

/** Whether Deno exports spans. */
export function isTracing(): boolean {
  return !(trace.getTracerProvider() instanceof ProxyTracerProvider); // Deno's own is there if it does
}

/** What makes spans of requests and returns the ids of their traces; null while nobody traces. */
export function openSpans(version: string): ((request: ReportedRequest) => string) | null {
  if (!isTracing()) return null;
  const tracer = trace.getTracer(SCOPE, version);
  return (request) => {
    const startMs = request.atMs - request.usecs / 1000;
    const span = tracer.startSpan(nameOf(request), {
      kind: SpanKind.CLIENT,
      root: true,
      startTime: startMs,
      attributes: attributesOf(request),
    });
    let beginMs = startMs;
    for (const stage of STAGE_NAMES) {
      const usecs = request.stages[stage];
      if (usecs === undefined) continue;
      span.addEvent(stage, { "codis.stage.usecs": whole(usecs) }, beginMs);
      beginMs += usecs / 1000;
    }
    if (request.isError) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(request.atMs);
    return span.spanContext().traceId;
  };
}

/** The operation: `GET`, `CLIENT LIST`. */
function nameOf({ command }: ReportedRequest): string {
  return command.toUpperCase().replace("|", " ");
}

function attributesOf(request: ReportedRequest): Attributes {
  const attributes: Attributes = {
    "db.system.name": "redis",
    "db.operation.name": nameOf(request),
    "db.namespace": String(request.database),
    "user.name": request.user,
    "codis.request.bytes": whole(request.requestBytes),
    "codis.reply.bytes": whole(request.replyBytes),
    "codis.sample": whole(request.sample),
    "codis.slow": request.isSlow,
    "codis.end": request.end,
  };
  addAddress(attributes, "client.address", "client.port", request.client);
  if (request.server !== "") {
    addAddress(attributes, "server.address", "server.port", request.server);
    const host = String(attributes["server.address"]);
    if (IP.test(host)) {
      addAddress(attributes, "network.peer.address", "network.peer.port", request.server);
    }
  }
  if (request.slot >= 0) attributes["codis.slot"] = whole(request.slot);
  if (request.keys >= 0) attributes["codis.keys"] = whole(request.keys);
  if (request.isError) {
    attributes["error.type"] = request.end === "failed" ? "proxy_error" : "server_error";
  }
  return attributes;
}

/** A number that is sent as an integer: Deno sends others as floating-point ones. */
function whole(value: number): number {
  return BigInt(value) as unknown as number;
}

function addAddress(attributes: Attributes, host: string, port: string, address: string): void {
  const at = parseListenAddress(address);
  attributes[host] = at.hostname;
  attributes[port] = whole(at.port);
}
