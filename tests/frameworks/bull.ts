/**
 * Bull: a job, a delayed one, one that is tried again, counts.
 *
 * @module
 */

import Bull from "bull";
import { connection, report } from "./program.ts";

const queue = new Bull("mail", { redis: connection });
const attempts = new Map<string, number>();
queue.process("*", 2, (job) => {
  const tries = (attempts.get(job.data.name) ?? 0) + 1;
  attempts.set(job.data.name, tries);
  if (job.data.name === "flaky" && tries < 3) throw new Error(`try ${tries}`);
  return Promise.resolve({ twice: job.data.n * 2 });
});
const plain = await queue.add("plain", { name: "plain", n: 1 });
const delayed = await queue.add("delayed", { name: "delayed", n: 2 }, { delay: 300 });
const flaky = await queue.add("flaky", { name: "flaky", n: 3 }, { attempts: 3, backoff: 100 });
const results = [await plain.finished(), await delayed.finished(), await flaky.finished()];
const { completed, failed, waiting } = await queue.getJobCounts();
report({ results, flakyTries: attempts.get("flaky"), completed, failed, waiting });
