/**
 * How the proxies see a master that this dashboard has lost: asked only then, and again as long as it lasts.
 *
 *     in doubt ─► every online proxy is asked ─► its answer counts for VOTE_MS from the moment it was asked
 *                                             └─ no answer: it counts for those that reach the master
 *
 * The majority is that of all proxies that are online, as the store says now, without those that use no slot
 * of that master. So a dashboard that has lost its proxies, or the store, has no majority.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import { isSurelyGone } from "../base/process_life.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { decodeFenceNote, UNHEARD_MS } from "../store/failover_rule.ts";

/** Time between two questions, in milliseconds. */
const ASK_MS = 250;
/** How long an answer counts, from the question on, in milliseconds. */
export const VOTE_MS = 1_500;
/** A proxy is lost when a question gets no answer that it was asked so long after its last answer, in milliseconds. */
const LOST_MS = 2_000;

const log = logger("dashboard");

/** How proxies see a server. */
export interface Tally {
  /** Proxies that have not heard from it for long enough. */
  readonly down: number;
  /** Proxies that reach it. */
  readonly up: number;
  /** The ids of proxies that have not answered in time. */
  readonly unheard: readonly string[];
}

/** Whether most proxies cannot reach a server. */
export function isMajority({ down, up, unheard }: Tally): boolean {
  return down > up + unheard.length;
}

/** What votes need of their surroundings. */
export interface VotesContext {
  /** The proxies, as the store says now. */
  proxies(): Promise<readonly ProxyRecord[]>;
  /** For how long a proxy has not heard from a server, in ms; -1: it does not use it; undefined: it cannot say. */
  silentMs(proxy: ProxyRecord, addr: string): Promise<number | undefined>;
  /** The fenced addresses, and what each fence says. */
  fences(): Promise<ReadonlyMap<string, string>>;
}

interface Vote {
  readonly silentMs: number;
  readonly askedMs: number;
}

interface Ballot {
  askedMs: number;
  /** The proxies that are online, and when that was read. */
  online: readonly ProxyRecord[];
  readMs: number;
  readonly votes: Map<string, Vote>;
  fences: ReadonlyMap<string, string>;
  /** When the proxy at each address was asked what it has answered last. */
  readonly heardMs: Map<string, number>;
  /** When it was asked what it has not answered. */
  readonly missedMs: Map<string, number>;
  readonly beganMs: number;
}

/** See the header. */
export class Votes {
  readonly #context: VotesContext;
  readonly #timers: Timers;
  readonly #ballots = new Map<string, Ballot>();

  /** Asks nobody yet. */
  constructor(context: VotesContext, timers: Timers = SYSTEM_TIMERS) {
    this.#context = context;
    this.#timers = timers;
  }

  /** Asks all proxies about a server, unless they were just asked; does not wait for their answers. */
  ask(addr: string): void {
    const nowMs = this.#timers.nowMs();
    let ballot = this.#ballots.get(addr);
    if (ballot === undefined) {
      ballot = {
        ...{ askedMs: -Infinity, online: [], readMs: -Infinity, votes: new Map() },
        ...{ fences: new Map(), heardMs: new Map(), missedMs: new Map(), beganMs: nowMs },
      };
      this.#ballots.set(addr, ballot);
    }
    if (nowMs - ballot.askedMs < ASK_MS) return;
    ballot.askedMs = nowMs;
    this.#askAll(addr, ballot).catch((error) =>
      log.warn("it is not known which proxies are online: {error}", { error })
    );
  }

  async #askAll(addr: string, ballot: Ballot): Promise<void> {
    const askedMs = ballot.askedMs;
    const [proxies, fences] = await Promise.all([
      this.#context.proxies(),
      this.#context.fences(),
    ]);
    const online = proxies.filter(({ state }) => state === "online");
    ballot.online = online;
    ballot.fences = fences;
    ballot.readMs = askedMs;
    await Promise.all(online.map(async (proxy) => {
      try {
        const silentMs = await this.#context.silentMs(proxy, addr);
        if (askedMs < (ballot.heardMs.get(proxy.addr) ?? 0)) return;
        if (silentMs !== undefined) ballot.votes.set(proxy.id, { silentMs, askedMs });
        ballot.heardMs.set(proxy.addr, askedMs);
      } catch (error) {
        ballot.missedMs.set(proxy.addr, Math.max(askedMs, ballot.missedMs.get(proxy.addr) ?? 0));
        log.debug("proxy {id} did not say how it sees {addr}: {error}", {
          ...{ id: proxy.id, addr, error },
        });
      }
    }));
  }

  /** The server is there again: what was said of it counts no more. */
  forget(addr: string): void {
    this.#ballots.delete(addr);
  }

  /**
   * Whether a proxy has not answered for so long that nothing waits for it, as one whose machine has vanished. It is
   * not, because this process was paused: then the next question is answered.
   */
  isLost({ addr }: Pick<ProxyRecord, "addr">): boolean {
    return [...this.#ballots.values()].some(({ heardMs, missedMs, beganMs }) => {
      const sinceMs = Math.max(heardMs.get(addr) ?? -Infinity, beganMs);
      return (missedMs.get(addr) ?? -Infinity) - sinceMs >= LOST_MS;
    });
  }

  /**
   * The fenced addresses at which a proxy may still use a server after another one was promoted: it does not
   * answer, and has not stepped back yet (`store/failover_rule.ts`), or never will.
   *
   * @returns Whether each will have stepped back in a moment, by address.
   */
  holdouts(addr: string): ReadonlyMap<string, boolean> {
    const nowMs = this.#timers.nowMs();
    const found = new Map<string, boolean>();
    const ballot = this.#ballots.get(addr);
    for (const [fenced, note] of ballot?.fences ?? []) {
      const { life, stepsBack } = decodeFenceNote(note);
      const proxy = ballot!.online.find((each) => each.addr === fenced);
      const heardMs = ballot!.heardMs.get(fenced) ?? -Infinity;
      if (proxy !== undefined && nowMs - heardMs <= VOTE_MS) continue;
      if (isSurelyGone(life)) continue;
      const sinceMs = Math.max(heardMs, ballot!.beganMs);
      if (!stepsBack) found.set(fenced, proxy !== undefined && nowMs - ballot!.beganMs <= VOTE_MS);
      else if (nowMs - sinceMs < UNHEARD_MS) found.set(fenced, true);
    }
    return found;
  }

  /**
   * How the proxies see a server.
   *
   * @param silentMs How long a proxy must not have heard from it, in milliseconds.
   * @returns Undefined as long as it is not known which proxies are online.
   */
  of(addr: string, silentMs: number): Tally | undefined {
    const nowMs = this.#timers.nowMs();
    const ballot = this.#ballots.get(addr);
    if (ballot === undefined || nowMs - ballot.readMs > VOTE_MS) return undefined;
    let [down, up] = [0, 0];
    const unheard: string[] = [];
    for (const { id } of ballot.online) {
      const vote = ballot.votes.get(id);
      if (vote === undefined || nowMs - vote.askedMs > VOTE_MS) unheard.push(id);
      else if (vote.silentMs >= silentMs) down++;
      else if (vote.silentMs >= 0) up++;
    }
    return { down, up, unheard };
  }
}
