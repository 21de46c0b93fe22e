/**
 * kue: a job, a delayed one, one that is tried again.
 *
 * @module
 */

import kue from "kue";
import { connection, report } from "./program.ts";

const queue = kue.createQueue({ redis: connection });
const attempts = new Map<string, number>();
// deno-lint-ignore no-explicit-any
queue.process("mail", 2, (job: any, done: (error: Error | null, result?: unknown) => void) => {
  const tries = (attempts.get(job.data.name) ?? 0) + 1;
  attempts.set(job.data.name, tries);
  if (job.data.name === "flaky" && tries < 3) return done(new Error(`try ${tries}`));
  done(null, job.data.n * 2);
});
// deno-lint-ignore no-explicit-any
const run = (job: any) =>
  new Promise((resolve) => job.on("complete", (result: unknown) => resolve(result)).save());
const results = await Promise.all([
  run(queue.create("mail", { name: "plain", n: 1 })),
  run(queue.create("mail", { name: "delayed", n: 2 }).delay(300)),
  run(queue.create("mail", { name: "flaky", n: 3 }).attempts(3)),
]);
report({ results, flakyTries: attempts.get("flaky") });
