/**
 * The slot rules of frameworks that use several keys at once without a {tag}, with their default names.
 * What each sends was read with MONITOR.
 *
 * @module
 */

import type { SlotRule } from "../hash/placement.ts";

/** Rules that one framework needs. */
export interface SlotRulePreset {
  readonly name: string;
  /** What to know of it. */
  readonly about: string;
  readonly rules: readonly SlotRule[];
}

/** What kombu puts between the name of a queue and a priority. */
const KOMBU_SEPARATOR = "\x06\x16";

/** All presets. */
export const SLOT_RULE_PRESETS: readonly SlotRulePreset[] = [
  {
    name: "bullmq",
    about: "BullMQ with the prefix bull; each queue has its slot, and a flow one queue",
    rules: [{ pattern: "bull:*:", tag: "" }],
  },
  {
    name: "bull",
    about: "Bull with the prefix bull; each queue has its slot",
    rules: [{ pattern: "bull:*:", tag: "" }],
  },
  {
    name: "bee-queue",
    about: "bee-queue with the prefix bq; each queue has its slot",
    rules: [{ pattern: "bq:*:", tag: "" }],
  },
  {
    name: "kue",
    about: "kue with the prefix q; all queues have one slot",
    rules: [{ pattern: "q:*", tag: "q" }],
  },
  {
    name: "rq",
    about: "RQ; all queues have one slot",
    rules: [{ pattern: "rq:*", tag: "rq" }],
  },
  {
    name: "celery",
    about:
      "Celery with the queue celery; for another queue, add a rule with --tag=celery for its name",
    rules: [
      { pattern: "unacked*", tag: "celery" },
      { pattern: "celery-taskset-meta-*.", tag: "" },
      { pattern: `*${KOMBU_SEPARATOR}`, tag: "" },
    ],
  },
  {
    name: "sidekiq",
    about: "Sidekiq; add a rule <hostname>:* with --tag=sidekiq for each machine of its processes",
    rules: ["queue:*", "queues", "processes", "schedule", "retry", "dead", "stat:*"]
      .map((pattern) => ({ pattern, tag: "sidekiq" })),
  },
  {
    name: "channels",
    about: "Django channels with the prefix asgi; all groups and channels have one slot",
    rules: [{ pattern: "asgi*", tag: "asgi" }],
  },
  {
    name: "spring-session",
    about: "Spring Session, for changeSessionId, which renames; all sessions have one slot",
    rules: [{ pattern: "spring:session:*", tag: "spring:session" }],
  },
];
