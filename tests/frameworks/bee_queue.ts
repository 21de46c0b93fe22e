/**
 * bee-queue: a job with progress, a delayed one, one that is tried again.
 *
 * @module
 */

import BeeQueue from "bee-queue";
import { connection, report } from "./program.ts";

const queue = new BeeQueue("mail", { redis: connection, activateDelayedJobs: true });
await queue.ready();
const attempts = new Map<string, number>();
// deno-lint-ignore no-explicit-any
queue.process((job: any) => {
  const tries = (attempts.get(job.data.name) ?? 0) + 1;
  attempts.set(job.data.name, tries);
  job.reportProgress({ tries });
  if (job.data.name === "flaky" && tries < 3) throw new Error(`try ${tries}`);
  return Promise.resolve(job.data.n * 2);
});
// deno-lint-ignore no-explicit-any
const finished = (job: any) =>
  new Promise((resolve) => job.on("succeeded", (result: unknown) => resolve(result)));
const jobs = [
  queue.createJob({ name: "plain", n: 1 }),
  queue.createJob({ name: "delayed", n: 2 }).delayUntil(Date.now() + 300),
  queue.createJob({ name: "flaky", n: 3 }).retries(3),
];
const ends = jobs.map(finished);
for (const job of jobs) await job.save();
const results = await Promise.all(ends);
const health = await queue.checkHealth();
report({ results, flakyTries: attempts.get("flaky"), succeeded: health.succeeded });
