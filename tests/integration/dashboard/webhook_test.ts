/**
 * Outage events reach a webhook that does not always answer: signed, in order, and each with one id.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { createHmac } from "node:crypto";
import { startLog, stopLog } from "../../../src/base/log.ts";
import { Secret } from "../../../src/base/secret.ts";
import type { OutageReport } from "../../../src/control/outages.ts";
import { Webhook, type WebhookTarget } from "../../../src/dashboard/outages/webhook.ts";
import type { OutageEvent } from "../../../src/model/outage_event.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { StoreFolder } from "../../support/store.ts";
import { tlsText } from "../../support/tls.ts";
import { WebhookReceiver } from "../../support/webhook_receiver.ts";

const KEY = "sesame";

const FAILED: OutageReport = {
  ...{ kind: "failover_refused", phase: "once", subject: "group 1", group: 1 },
  ...{ text: "group 1: no failover", cause: "no replica", hint: "start one" },
};

/** A target that is tried again soon. */
function target(url: string, more: Partial<WebhookTarget> = {}): WebhookTarget {
  return {
    ...{ url: new Secret(url), secret: new Secret(KEY), ca: "", product: "test" },
    ...{ dashboard: "d:1", version: "1.2.3", retry: { firstMs: 20, maxMs: 40 } },
    ...more,
  };
}

async function eventsOf(dashboard: DashboardServer): Promise<OutageEvent[]> {
  return (await dashboard.get("/api/events")).json.events;
}

Deno.test("a webhook gets each event signed, again after two failures, in order", async () => {
  await using receiver = WebhookReceiver.start();
  receiver.answers.push(500, 302);
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open(), {
    webhook: target(receiver.url),
  });
  dashboard.dashboard.outage(FAILED);
  dashboard.dashboard.outage({ ...FAILED, subject: "group 2", text: "group 2: no failover" });
  const { posts } = receiver;
  await until(() => posts.length === 4);
  const ids = posts.map(({ headers }) => headers.get("x-codis-event"));
  assertEquals([ids[1], ids[2], ids[3] === ids[0]], [ids[0], ids[0], false]);
  for (const { headers, body, json } of posts) {
    const signature = `sha256=${createHmac("sha256", KEY).update(body).digest("hex")}`;
    assertEquals(headers.get("x-codis-signature"), signature);
    assertEquals(headers.get("x-codis-event"), json.event.id);
  }
  assertEquals(
    posts[3]!.json.text,
    "[test] error: group 2: no failover: no replica; what to do: start one",
  );
  const { seq: _, is_sent: __, ...event } = (await eventsOf(dashboard))[0]!;
  assertEquals(posts[3]!.json.event, event);
  assertEquals([posts[3]!.json.product, posts[3]!.json.dashboard], ["test", "d:1"]);
  await until(async () => (await eventsOf(dashboard)).every(({ is_sent }) => is_sent));
  const { text } = await dashboard.get("/metrics");
  for (
    const line of [
      'codis_outage_events_total{kind="failover_refused"} 2',
      'codis_outages{kind="server_down"} 0',
      'codis_webhook_events_total{end="sent"} 2',
      'codis_webhook_events_total{end="failed"} 2',
      "codis_webhook_waiting 0",
    ]
  ) assertStringIncludes(text, line);
});

Deno.test("what a dashboard could not send, the next one sends, with the same id", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  let id = "";
  {
    const webhook = target("http://127.0.0.1:1/");
    await using first = await DashboardServer.start(store, { webhook });
    first.dashboard.outage(FAILED);
    await until(() => first.dashboard.outages.webhookFigures.failed > 1);
    id = (await eventsOf(first))[0]!.id;
  }
  await using receiver = WebhookReceiver.start();
  await using _next = await DashboardServer.start(store, { webhook: target(receiver.url) });
  await until(() => receiver.posts.some(({ json }) => json.event.id === id));
});

Deno.test("that the coordinator is lost is sent while it is, and is stored once it is back", async () => {
  await using receiver = WebhookReceiver.start();
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store, { webhook: target(receiver.url) });
  let state = "disconnected";
  Object.defineProperty(store.coordinator, "state", { get: () => state });
  const kinds = () => receiver.posts.map(({ json }) => `${json.event.phase} ${json.event.kind}`);
  await until(() => kinds().includes("begin coordinator_lost"));
  state = "connected";
  await until(() => kinds().includes("end coordinator_lost"));
  const [end, begin] = await eventsOf(dashboard);
  assertEquals([end!.outage, end!.severity, begin!.phase], [begin!.outage, "info", "begin"]);
});

Deno.test("a webhook over TLS is spoken to with its authority, and with no other", async () => {
  await using receiver = WebhookReceiver.start({ isTls: true });
  const event = { ...FAILED, id: "a", at: Date.now(), count: 1, severity: "error" } as never;
  const done = Promise.withResolvers<string>();
  const trusted = new Webhook(target(receiver.url, { ca: tlsText("ca") }), done.resolve);
  const other = new Webhook(target(receiver.url, { ca: tlsText("other-ca") }), () => {});
  other.send(event);
  trusted.send(event);
  assertEquals(await done.promise, "a");
  await until(() => other.figures.failed > 1);
  assertEquals([receiver.posts.length, other.figures.sent], [1, 0]);
  await Promise.all([trusted.stop(), other.stop()]);
});

Deno.test("a request that will never be taken is given up at once, and the queue is bounded", async () => {
  await using receiver = WebhookReceiver.start();
  receiver.answers.push(400);
  const done: string[] = [];
  const webhook = new Webhook(target(receiver.url), (id) => done.push(id));
  const send = (id: string) =>
    webhook.send({ ...FAILED, id, at: Date.now(), count: 1, severity: "error" } as never);
  send("bad");
  await until(() => done.length === 1);
  assertEquals(webhook.figures, { sent: 0, failed: 1, lost: 1, waiting: 0 });
  receiver.answers.push(...new Array(3).fill(503));
  for (let i = 0; i < 600; i++) send(`e${i}`);
  assertEquals(webhook.figures.waiting, 500);
  await until(() => webhook.figures.waiting === 0);
  assertEquals(webhook.figures, { sent: 500, failed: 4, lost: 101, waiting: 0 });
  assertEquals([done.at(-1), new Set(done).size], ["e599", 601]);
  await webhook.stop();
});

Deno.test("why a receiver is not reached is in the log, with what to do, and without the URL", async () => {
  const lines: string[] = [];
  startLog({ level: "info", write: ({ message }) => lines.push(message) });
  const webhook = new Webhook(target(`http://127.0.0.1:${freePort()}/ä b)TOKEN`), () => {});
  try {
    webhook.send({ ...FAILED, id: "a", at: Date.now(), count: 1, severity: "error" } as never);
    await until(() => webhook.figures.failed > 1);
  } finally {
    await webhook.stop();
    stopLog();
  }
  assertEquals(lines, [
    "webhook_url does not take an event: tcp connect error: Connection refused (os error 111); " +
    "it is tried again for 60 min: look at the receiver, and compare webhook_url, webhook_secret and " +
    "webhook_ca with what it wants",
  ]);
});
