/**
 * The stages of a request from when it was read until its reply was written, and what each of them took.
 *
 *     read ─ queue ─► dispatched ─ slot ─► slot open ─ key ─► key moved ─► sent ─ send ─► with the system
 *       ─ network, server ─► first byte ─ receive ─► whole ─ order ─► its turn ─ write ─► written
 *
 * They add up to the time of the whole request. What of it our event loop was held up is a stage of its own,
 * taken out of the others.
 *
 * @module
 */

import type { Detour, RequestMarks } from "../request_marks.ts";

/** A stage: its name, what happens in it, and what to do when it takes long. */
interface StageText {
  readonly what: string;
  readonly advice: string;
}

/** The stages, in their order. */
export const STAGES = {
  queue: {
    what:
      "waited behind earlier requests of the same client, for its user's limits, or for CLIENT PAUSE",
    advice:
      "The client sends more than it may have in flight (session_max_pipeline, replies that it has " +
      "not read, its user's limits), or waits behind a slow command of its own: use more " +
      "connections.",
  },
  slot: {
    what: "waited for its slot, which was blocked while it changed hands",
    advice: "A slot is blocked until all proxies have confirmed: look for a proxy that confirms " +
      "late, and at the page's migrations.",
  },
  key: {
    what: "waited until its key was moved to the new server",
    advice: "The slot is being moved, and the key is large or the servers are busy: " +
      "slow the migration down (migrate_delay, migrate_p99_max), and split big keys.",
  },
  proxy: {
    what: "was worked on by the proxy, or waited for what the proxy asked servers",
    advice: "Commands over many servers take as long as the slowest of them.",
  },
  send: {
    what:
      "waited until the system took it for the server: a connection was opened, or its buffer was full",
    advice: "The server does not read, or could not be connected to at once: look at its " +
      "processor and at the network.",
  },
  network: {
    what: "was on its way: as long as the fastest reply of that server took lately",
    advice:
      "Even the fastest reply takes this long: compare `redis-cli --latency` from this machine, " +
      "and look at the network and at how busy the server is all the time.",
  },
  server: {
    what: "waited for the server's reply, longer than the fastest reply took lately",
    advice: "Look at the server's own SLOWLOG and LATENCY: a slow command, also of another " +
      "client, holds up all others; so do fork, swap and a disk that is slow.",
  },
  receive: {
    what: "came back in pieces: from the first byte of the reply to the last",
    advice: "The reply is large: ask for less at once (HSCAN for HGETALL, LIMIT), or the client " +
      "reads slowly.",
  },
  order: {
    what: "was answered, and waited for replies to earlier requests of its client",
    advice: "Replies leave in the order of the requests: an earlier one of the pipeline was slow.",
  },
  write: {
    what: "waited until the client had taken replies",
    advice: "The client reads slowly, or another one that has asked the same server for large " +
      "replies: it is busy, or its network is; large replies make it worse.",
  },
  loop: {
    what: "our own event loop was held up",
    advice: "The proxy's thread had no time: look at the processor of this machine and at what " +
      "else runs there; more workers (--cpu) share the load.",
  },
} as const satisfies Readonly<Record<string, StageText>>;

/** The name of a stage. */
export type Stage = keyof typeof STAGES;

/** The names of the stages, in their order. */
export const STAGE_NAMES = Object.keys(STAGES) as readonly Stage[];

/** What tells how long the loop was held up. */
export interface HeldUp {
  heldUpMs(fromMs: number, toMs: number): number;
}

/** The marks of a request: what happened when, in clock milliseconds. */
export type StageMarks =
  & Readonly<
    Pick<
      RequestMarks,
      "readMs" | "startedMs" | "sentIn" | "sentMs" | "firstMs" | "wholeMs" | "turnMs"
    >
  >
  & { readonly detour: Detour | null };

const NO_DETOUR: Detour = { waited: "", openedMs: 0, heldBackMs: 0 };

/** What each stage took, in whole microseconds; stages that took nothing are left out. */
export type StageTimes = Readonly<Partial<Record<Stage, number>>>;

/**
 * What the stages of an answered request took.
 *
 * @param writtenMs When its reply was written, in clock milliseconds.
 * @param networkMs What the way to its server and back takes at least.
 */
export function stageTimes(
  request: StageMarks,
  writtenMs: number,
  networkMs: number,
  loop: HeldUp,
): StageTimes {
  const times: Partial<Record<Stage, number>> = {};
  const wholeUs = (ms: number) => Math.round((ms - request.readMs) * 1000);
  let at = request.readMs;
  const add = (stage: Stage, usecs: number) => {
    if (usecs > 0) times[stage] = (times[stage] ?? 0) + usecs;
  };
  const until = (stage: Stage, ms: number): number => {
    if (ms <= at) return 0;
    const usecs = wholeUs(ms) - wholeUs(at);
    const heldUs = Math.min(usecs, Math.round(loop.heldUpMs(at, ms) * 1000));
    at = ms;
    add("loop", heldUs);
    add(stage, usecs - heldUs);
    return usecs - heldUs;
  };
  const { sentIn, sentMs, firstMs, wholeMs } = request;
  const { waited, openedMs, heldBackMs } = request.detour ?? NO_DETOUR;
  until("queue", request.startedMs);
  until("slot", openedMs);
  const before = waited === "key" ? "key" : waited === "slot" && openedMs === 0 ? "slot" : "proxy";
  if (sentIn === null) {
    until(before, wholeMs);
  } else {
    until(before, sentMs);
    // Its batch may be forgotten: that was written long ago.
    const wroteMs = sentIn.sinceMs > sentMs ? sentMs : sentIn.wroteMs;
    // What was never answered was never sent, as long as nobody says so.
    until("send", wroteMs === 0 && firstMs === 0 ? wholeMs : wroteMs);
    let serverUs = until("server", firstMs === 0 ? wholeMs : firstMs);
    const receiveUs = until("receive", wholeMs);
    const heldUs = Math.round(heldBackMs * 1000);
    const notReceivedUs = Math.min(heldUs, receiveUs);
    const notReadUs = Math.min(heldUs - notReceivedUs, serverUs);
    if (heldUs > 0) {
      add("write", notReceivedUs + notReadUs);
      times.receive = receiveUs - notReceivedUs;
      times.server = serverUs -= notReadUs;
    }
    const networkUs = Math.min(serverUs, Math.round(networkMs * 1000));
    if (networkUs > 0) {
      times.network = networkUs;
      times.server = serverUs - networkUs;
    }
  }
  until("order", request.turnMs);
  until("write", writtenMs);
  return inOrder(times);
}

function inOrder(times: StageTimes): StageTimes {
  const ordered: Partial<Record<Stage, number>> = {};
  for (const stage of STAGE_NAMES) {
    const usecs = times[stage] ?? 0;
    if (usecs > 0) ordered[stage] = usecs;
  }
  return ordered;
}

/** The stage that took longest. */
export function longestStage(times: StageTimes): Stage {
  let longest: Stage = "proxy";
  for (const stage of STAGE_NAMES) if ((times[stage] ?? 0) > (times[longest] ?? 0)) longest = stage;
  return longest;
}
