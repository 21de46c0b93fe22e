/**
 * `failover = auto`: masters are judged, and those that failed rejoin.
 *
 * @module
 */

import { isSurelyGone } from "../base/process_life.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { RecordError } from "../model/record.ts";
import { readInfo, type RedisInfo } from "../redis/info.ts";
import { decodeFenceNote, saveFailoverRule } from "../store/failover_rule.ts";
import { deadFences, loadFenceNotes } from "../store/fences.ts";
import { loadProxies } from "../store/proxies.ts";
import type { Store } from "../store/store.ts";
import type { UnreadableRecord } from "../store/unreadable.ts";
import { refusalOfClients } from "./client_login.ts";
import type { Control } from "./control.ts";
import { Failover, type FailoverContext } from "./failover.ts";
import { askSighting } from "./proxies.ts";
import { Rejoin, type RejoinOptions } from "./rejoin.ts";
import { Votes } from "./votes.ts";

/** Longest time that a server may take to say how far it is, in milliseconds. */
const INFO_MS = 500;

/** How masters are replaced. */
export interface AutoFailoverOptions
  extends RejoinOptions, Pick<FailoverContext, "sightings" | "promote" | "isFollowed"> {
  /** How long a master must be down, in milliseconds. */
  readonly afterMs: number;
}

/** See the header. */
export class AutoFailover {
  readonly #failover: Failover;
  readonly #rejoin: Rejoin;
  readonly #votes: Votes;
  readonly #store: Store;

  /** Does nothing yet. */
  constructor(control: Control, options: AutoFailoverOptions) {
    const { afterMs } = options;
    this.#store = control.store;
    const proxies = () => loadVoters(control.store);
    const fences = () => loadFenceNotes(control.store);
    // A change that waits for the master's answers would hold the failover up. Proxies notice a bit later than we.
    const breakMs = Math.round(afterMs * 0.9);
    const silentMs = (proxy: ProxyRecord, addr: string) => askSighting(proxy, addr, breakMs);
    const votes = this.#votes = new Votes({ proxies, silentMs, fences });
    const askInfo = (addr: string) => infoNow(control, addr);
    const askRefusal = (addr: string) => refusalOfClients(options.auth, addr);
    this.#failover = new Failover({ ...options, control, votes, askInfo, askRefusal }, afterMs);
    this.#rejoin = new Rejoin(control, options);
  }

  /**
   * Starts to judge masters, if that is wanted, and tells the proxies whether it is.
   *
   * @throws {CoordinatorError} When the store cannot be written.
   */
  async start(isWanted: boolean): Promise<void> {
    await saveFailoverRule(this.#store, isWanted);
    if (!isWanted) return;
    this.#failover.start();
    this.#rejoin.start();
  }

  /** Whether a promotion is under way, which must not wait for this proxy: it does not answer. */
  holdsUp(proxy: ProxyRecord): boolean {
    return this.#failover.promoting > 0 && this.#votes.isLost(proxy);
  }

  /** Stops. */
  stop(): void {
    this.#failover.stop();
    this.#rejoin.stop();
  }
}

/**
 * The proxies that are asked about a master.
 *
 * @throws {RecordError} When one cannot be read, and one may be serving that is not among the others: it cannot be
 * asked, nor told of another master. A proxy writes its record anew as soon as that cannot be read.
 */
async function loadVoters(store: Store): Promise<ProxyRecord[]> {
  const bad: UnreadableRecord[] = [];
  const proxies = await loadProxies(store, (record) => bad.push(record));
  const [first] = bad;
  if (first === undefined) return proxies;
  const notes = await loadFenceNotes(store);
  const serving = deadFences([...notes.keys()], proxies)
    .filter((addr) => !isSurelyGone(decodeFenceNote(notes.get(addr)!).life));
  if (serving.length === 0) return proxies;
  throw new RecordError(
    `${first.path}: ${first.reason}; the proxy at ${serving.join(", ")} may be serving`,
  );
}

/**
 * INFO of a server, for which it gets half a second.
 *
 * @throws As `Control.redis`.
 */
export async function infoNow(control: Pick<Control, "redis">, addr: string): Promise<RedisInfo> {
  using redis = await control.redis(addr, INFO_MS);
  return await readInfo(redis);
}
