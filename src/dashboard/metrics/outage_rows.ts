/**
 * Metrics of outages, and of what `webhook_url` was sent.
 *
 * @module
 */

import { type MetricSection, oneSample } from "../../base/prometheus.ts";
import { OUTAGE_KIND_NAMES, outageKind } from "../../model/outage_event.ts";
import type { DashboardRow } from "./row.ts";

/** Kinds that begin and end. */
const PAIRS = OUTAGE_KIND_NAMES.filter((kind) => outageKind(kind).form === "pair");

/** See the header. */
export const OUTAGE_METRICS: MetricSection<DashboardRow> = {
  title: "Outages",
  rows: [
    {
      name: "codis_outage_events_total",
      help: "Outage events that this dashboard has told, begins and ends, since it started",
      type: "counter",
      labels: ["kind"],
      samples: ({ outages }) =>
        OUTAGE_KIND_NAMES.map((kind) => [{ kind }, outages.counts(kind).events]),
    },
    {
      name: "codis_outages",
      help: "Outages that have not ended",
      type: "gauge",
      labels: ["kind"],
      samples: ({ outages }) => PAIRS.map((kind) => [{ kind }, outages.counts(kind).open]),
    },
    {
      name: "codis_outage_seconds_total",
      help:
        "How long outages lasted, those that have not ended included, since this dashboard started",
      type: "counter",
      labels: ["kind"],
      samples: ({ outages }) => PAIRS.map((kind) => [{ kind }, outages.counts(kind).seconds]),
    },
    {
      name: "codis_webhook_events_total",
      help: "Events for webhook_url: sent, lost (given up), and failed tries to send one",
      type: "counter",
      labels: ["end"],
      alerts: [{
        name: "CodisWebhookLosesEvents",
        when: 'increase(codis_webhook_events_total{end="lost"}[1h]) > 0',
        minutes: 0,
        severity: "warning",
        summary: "webhook_url did not get {{ $value }} outage events within the last hour.",
        fix: "The dashboard's log says what the receiver answered. The page shows the events.",
      }],
      samples: ({ outages: { webhookFigures: figures } }) =>
        (["sent", "failed", "lost"] as const).map((end) => [{ end }, figures[end]]),
    },
    {
      name: "codis_webhook_waiting",
      help: "Events that webhook_url has not got yet",
      type: "gauge",
      labels: [],
      samples: ({ outages: { webhookFigures } }) => oneSample(webhookFigures.waiting),
    },
  ],
};
