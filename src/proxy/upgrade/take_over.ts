/**
 * The new process's side of an upgrade; see `channel.ts`.
 *
 * @module
 */

import { formatAddress } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import { isSurelyGone, ProcessLife, socketPathsOf } from "../../base/process_life.ts";
import type { RemoteCalls } from "../../base/remote_call.ts";
import { inTime } from "../../base/sleep.ts";
import type { Coordinator } from "../../coordinator/coordinator.ts";
import { connectLocally } from "../../io/local_socket.ts";
import { steerHere } from "../../io/port_steering.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import { openFollowed } from "../../store/follow_move.ts";
import { loadActionsBefore } from "../../store/moves.ts";
import { loadProxy } from "../../store/proxies.ts";
import { StoreError, storeOf } from "../../store/store.ts";
import type { ProxyStart } from "../proxy_start.ts";
import { listenPlace } from "../start_plan.ts";
import { VERSION } from "../version.ts";
import {
  checkCalls,
  type OldCalls,
  type OldProcess,
  openChannel,
  ownCalls,
  tellLeft,
} from "./channel.ts";
import type { ListenPlace } from "../workers/data_plane.ts";
import { OtherProcess } from "./other_process.ts";

/** Why there may be no connection to a process. */
const UNREACHABLE =
  "it cannot be reached: it does not serve yet, another process takes over from it, or it is on another " +
  "machine, is another user's, has another TMPDIR, or is an older version";

/** Why the two may not be in the same store. */
const MOVES =
  "the product goes to another coordinator at this moment: start this process again when codis-proxy config move has ended";

/** How long the old process may take to answer, in milliseconds. */
const ANSWER_MS = 60_000;

/** How long it may take to know that a process is gone whose connection has ended, in milliseconds. */
const ENDED_MS = 3_000;

/** How long one that is about to end may take to remove its entry and its fence, in milliseconds. */
const LEAVES_MS = 20_000;

/** How long it may take to say whether it serves on, in milliseconds. */
const GIVE_BACK_MS = 1_000;

const log = logger("proxy");

/** The actions that this process follows. */
export interface FollowedActions {
  /** Waits until an action, and all before it, are in force here. */
  untilDone(action: string): Promise<void>;
  /** The newest one in the store; `""` before the first. */
  newestStored(): Promise<string>;
  /** Makes sure of the fence, and loads the table behind it. */
  renew(): Promise<void>;
}

/** See the header. */
export class TakeOver {
  /** Settles when this process serves; rejects when it may not, or cannot. */
  readonly done: Promise<void>;
  /** Called when the old process serves nobody any more, which waits for it before it ends. */
  set onOldGone(act: () => Promise<void>) {
    this.#other.onGone = act;
    if (!this.#other.isThere) act();
  }
  readonly #done = Promise.withResolvers<void>();
  readonly #other: OtherProcess;
  /** What proves the end of the old process. */
  readonly #oldLife: string;
  #unsteer = () => {};
  #hasEnded = false;

  private constructor(
    /** The session with the coordinator. */
    readonly coordinator: Coordinator,
    /** The process that is taken over from. */
    readonly old: OldProcess,
    /** Where this process will listen. */
    readonly place: ListenPlace,
    readonly calls: RemoteCalls<OldCalls>,
    other: OtherProcess,
    oldLife: string,
  ) {
    this.#other = other;
    this.#oldLife = oldLife;
    this.done = this.#done.promise;
    this.done.catch(() => {});
  }

  /**
   * Joins the process that has the id.
   *
   * @param life What proves the end of this one.
   * @returns Undefined when there is none.
   * @throws {StoreError} When it cannot be taken over from.
   */
  static async begin(
    start: ProxyStart,
    life: string,
    other: OtherProcess,
  ): Promise<TakeOver | undefined> {
    const { config } = start;
    const coordinator = await openStoreOf(start, other);
    try {
      const record = await loadProxy(storeOf(coordinator, config.product), config.proxyId);
      if (record !== undefined && !isSurelyGone(record.description)) {
        const takeOver = await TakeOver.#join(start, coordinator, record, life, other);
        if (takeOver !== undefined) return takeOver;
      }
    } catch (error) {
      await coordinator.close();
      throw error;
    }
    await coordinator.close();
    log.info("no process of {id} to take over from is registered: starting as the only one", {
      id: config.proxyId,
    });
    return undefined;
  }

  /** @returns Undefined when the process ends meanwhile. */
  static async #join(
    start: ProxyStart,
    coordinator: Coordinator,
    record: ProxyRecord,
    life: string,
    other: OtherProcess,
  ): Promise<TakeOver | undefined> {
    const { id, addr, description } = record;
    const store = storeOf(coordinator, start.config.product);
    // Its pid is not named: that is the first process's, which may have been taken over from.
    const cannot = (why: string) =>
      new StoreError(`cannot take over proxy_id "${id}" at ${addr}: ${why}`);
    if (life === "") throw cannot("no file can be made in XDG_RUNTIME_DIR, TMPDIR or /tmp");
    const connection = await connectTo(description);
    if (connection === undefined) throw cannot(UNREACHABLE);
    let takeOver: TakeOver | undefined;
    let [hasJoined, hasEnded] = [false, false];
    const end = Promise.withResolvers<void>();
    const calls: RemoteCalls<OldCalls> = openChannel(connection, {
      applied: (action) => other.hasApplied(action),
      stoppedListening: () => takeOver?.unsteer(),
      left: () => other.left(),
    }, () => {
      hasEnded = true;
      end.resolve();
      takeOver?.ended();
    });
    // Before it waits for us, which it may do as soon as it has heard of us.
    other.joined(true, description, (action) => calls.notify("applied", action));
    try {
      const who = { ...ownCalls(), pid: Deno.pid, version: VERSION, life };
      const old = await answered(calls.call("join", who));
      hasJoined = true;
      checkCalls(old);
      // From here on both stay in the stores that they are in.
      if (old.store !== await loadActionsBefore(store)) throw new Error(MOVES);
      takeOver = new TakeOver(coordinator, old, placeBeside(start, old), calls, other, description);
      if (hasEnded) takeOver.ended();
      return takeOver;
    } catch (error) {
      // One that has left ends in a moment, and with it its sockets.
      if (!other.isThere) await inTime(end.promise, ENDED_MS);
      // What has ended has closed it.
      if (!hasEnded) {
        if (hasJoined) await tellLeft(calls);
        if (!hasEnded) connection.close();
      } else {
        other.lost();
        if (await other.untilGone(ENDED_MS)) return undefined;
      }
      throw cannot((error as Error).message);
    }
  }

  /**
   * The table is loaded: asks whether this process may serve, lets it, and has the old one let its clients go.
   *
   * @param serve Serves clients; returns false when this process is stopped meanwhile.
   */
  async finish(actions: FollowedActions, serve: () => Promise<boolean>): Promise<void> {
    try {
      await actions.untilDone(await this.#mayServeFrom(actions));
      if (!await serve()) return;
      const { clients, http } = this.old;
      if (!this.#hasEnded) this.#unsteer = steerHere([...clients, http]);
      this.calls.notify("listening");
      this.#done.resolve();
    } catch (error) {
      this.#done.reject(error);
    }
  }

  /** The action from which on this process may serve. */
  async #mayServeFrom(actions: FollowedActions): Promise<string> {
    // From the next question on the old one waits for us.
    await actions.untilDone(this.#other.newestApplied);
    try {
      return await answered(this.calls.call("ready"));
    } catch (error) {
      // One that is about to end says so when it has taken away what it had at the coordinator.
      if (!await this.#other.untilGone(this.#hasEnded ? ENDED_MS : LEAVES_MS)) throw error;
      log.warn("the old process is gone, which did not expect it: serving in its place");
      await actions.renew();
      return await actions.newestStored();
    }
  }

  /** The old process has closed its sockets. */
  unsteer(): void {
    this.#unsteer();
    this.#unsteer = () => {};
  }

  /** The connection to the old process has ended: if that one lives, this one may not serve. */
  async ended(): Promise<void> {
    this.#hasEnded = true;
    this.unsteer();
    this.#other.lost();
    if (await this.#other.untilGone(ENDED_MS)) return;
    this.#done.reject(new StoreError("the old process does not wait any longer"));
  }

  /** Whether the old process is there yet; later the other one is a newer one, which takes over from this one. */
  get #isOldThere(): boolean {
    return this.#other.life === this.#oldLife;
  }

  /**
   * This process is about to end, although the old one may be there yet.
   *
   * @returns Whether the old one serves on.
   */
  async giveBack(): Promise<boolean> {
    if (!this.#isOldThere) return false;
    const stays = await inTime(this.calls.call("stopping"), GIVE_BACK_MS) === true;
    if (stays) {
      this.unsteer();
      log.info("the old process serves on");
    } else if (this.#isOldThere) {
      log.warn("the old process lets its clients go already, and ends, too: the proxy stops");
    }
    return stays;
  }

  /**
   * This process serves nobody any more, although the old one may be there yet.
   *
   * @returns Whether the old one, if it is there, knows that.
   */
  async stop(): Promise<boolean> {
    this.unsteer();
    return !this.#isOldThere || await tellLeft(this.calls);
  }
}

/** What is known of this process, and of another one of the same proxy. */
export interface Processes {
  readonly life: ProcessLife;
  readonly other: OtherProcess;
  /** What this one takes over from; undefined: nothing. */
  readonly takeOver: TakeOver | undefined;
}

/**
 * Begins the life of this process, and takes over from another one, if it is to, and there is one.
 *
 * @throws {Error} When it cannot be taken over from.
 */
export async function findOldProcess(start: ProxyStart): Promise<Processes> {
  const other = new OtherProcess();
  const life = ProcessLife.begin(`codis-proxy ${start.config.proxyId}, pid ${Deno.pid}`);
  try {
    const takeOver = start.takeOver ? await TakeOver.begin(start, life.text, other) : undefined;
    return { life, other, takeOver };
  } catch (error) {
    life.end();
    throw error;
  }
}

/**
 * Opens the store of a process. While it and another one are one proxy, they work with the same store.
 *
 * @throws {Error} When it cannot be opened.
 */
export function openStoreOf(
  { config, running, signal }: ProxyStart,
  other: OtherProcess,
): Promise<Coordinator> {
  return openFollowed({ config, running, signal, isFree: () => !other.isThere });
}

/** Where a process listens beside the old one, at its ports. */
function placeBeside(start: ProxyStart, { record, clients, http }: OldProcess): ListenPlace {
  const { sockets, proto } = listenPlace(start);
  const own = sockets.map(({ port }, index) => port === 0 ? clients[index]?.port : port);
  const [theirs, ours] = [clients.map(({ port }) => port).join(), own.join()];
  if (theirs !== ours) {
    throw new Error(`it listens on port ${theirs}, this process would on ${ours}`);
  }
  if (start.http.port !== 0 && start.http.port !== http.port) {
    throw new Error(`its HTTP port is ${http.port}, this process's would be ${start.http.port}`);
  }
  const announced = start.config.announceAddr;
  if (announced !== undefined && formatAddress(announced) !== record.addr) {
    throw new Error(`announce_addr is ${formatAddress(announced)} now`);
  }
  return { sockets: sockets.map((socket, index) => ({ ...socket, port: own[index]! })), proto };
}

/** @throws {Error} When the old process does not answer in time. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  const hasCome = () => true;
  if (await inTime(answer.then(hasCome, hasCome), ANSWER_MS)) return await answer;
  throw new Error(
    `the old process has not answered for ${ANSWER_MS / 1000} s: it hangs, or was stopped`,
  );
}

async function connectTo(life: string): Promise<Deno.Conn | undefined> {
  for (const path of socketPathsOf(life)) {
    try {
      return await connectLocally(path);
    } catch (error) {
      log.debug("{path} not connected: {error}", { path, error });
    }
  }
  return undefined;
}
