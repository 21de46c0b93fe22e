/**
 * BullMQ: a job, a delayed one, one that fails and is tried again, one that repeats, events and counts.
 *
 * @module
 */

import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import { connection, report } from "./program.ts";

const name = "mail";
const options = { connection: new Redis({ ...connection, maxRetriesPerRequest: null }) };
const queue = new Queue(name, options);
const events = new QueueEvents(name, options);
await events.waitUntilReady();
const seen: string[] = [];
const attempts = new Map<string, number>();
const worker = new Worker(name, (job) => {
  const tries = (attempts.get(job.name) ?? 0) + 1;
  attempts.set(job.name, tries);
  if (job.name === "flaky" && tries < 3) throw new Error(`try ${tries}`);
  seen.push(job.name);
  return Promise.resolve({ twice: job.data.n * 2 });
}, { ...options, concurrency: 2 });
await worker.waitUntilReady();

const plain = await queue.add("plain", { n: 1 });
const delayed = await queue.add("delayed", { n: 2 }, { delay: 300 });
const flaky = await queue.add("flaky", { n: 3 }, { attempts: 3, backoff: 100 });
const bulk = await queue.addBulk([1, 2, 3].map((n) => ({ name: `bulk${n}`, data: { n } })));
const results = [];
for (const job of [plain, delayed, flaky, ...bulk]) {
  results.push(await job.waitUntilFinished(events, 10_000));
}
const flow = new FlowProducer(options);
const tree = await flow.add({
  name: "parent",
  queueName: name,
  data: { n: 10 },
  children: [{ name: "child", queueName: name, data: { n: 11 } }],
});
const parent = await tree.job.waitUntilFinished(events, 10_000);
const { completed, failed, waiting } = await queue.getJobCounts("completed", "failed", "waiting");
report({
  results,
  parent,
  flakyTries: attempts.get("flaky"),
  seen: seen.sort(),
  completed,
  failed,
  waiting,
});
