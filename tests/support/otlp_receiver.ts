/**
 * A receiver of OpenTelemetry spans, as a collector is one: OTLP over HTTP, in JSON.
 *
 * @module
 */

/** A span with its attributes and events by name. */
export interface ReceivedSpan {
  readonly scope: string;
  readonly name: string;
  readonly traceId: string;
  readonly kind: number;
  /** Whether its status says that it failed. */
  readonly isError: boolean;
  readonly usecs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly usecs: number }[];
}

// deno-lint-ignore no-explicit-any
type Json = any;

/** See the header. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  /** All that was sent, as text. */
  readonly bodies: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (asked) => {
      const body = await asked.text();
      this.bodies.push(body);
      if (asked.url.endsWith("/v1/traces")) this.#take(JSON.parse(body));
      return Response.json({});
    });
  }

  /** The environment of a program that sends its spans here, soon. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_SERVICE_NAME: "codis-proxy",
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
  }

  #take({ resourceSpans }: Json): void {
    for (const { scopeSpans } of resourceSpans) {
      for (const { scope, spans } of scopeSpans) {
        for (const span of spans) {
          this.spans.push({
            scope: scope.name,
            name: span.name,
            traceId: span.traceId,
            kind: span.kind,
            isError: span.status.code === 2,
            usecs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1000,
            attributes: valuesOf(span.attributes),
            events: span.events.map((event: Json) => ({
              name: event.name,
              usecs: Number(valuesOf(event.attributes)["codis.stage.usecs"]),
            })),
          });
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function valuesOf(attributes: Json): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }: Json) => {
    if (value.intValue !== undefined) return [key, Number(value.intValue)];
    return [key, value.stringValue ?? value.boolValue ?? value.doubleValue];
  }));
}
