/**
 * A dashboard of the tests' own, by the rules of Codis 2.0: it sets proxies online when they ask,
 * sends actions, waits for the answers, and moves slots key by key.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { ActionRecord } from "../../src/model/action.ts";
import { encodeProxy, type ProxyRecord } from "../../src/model/proxy.ts";
import type { SlotRecord } from "../../src/model/slot.ts";
import { createAction, loadAnswers } from "../../src/store/actions.ts";
import { loadGroup, masterOf } from "../../src/store/groups.ts";
import { changeProxyState, loadProxies } from "../../src/store/proxies.ts";
import { loadSlot, saveSlot } from "../../src/store/slots.ts";
import type { Store } from "../../src/store/store.ts";
import { RespClient } from "./resp_client.ts";
import { slotOf } from "./router_server.ts";

/** Codis 2.0's bound on a confirmation, in milliseconds. */
const ANSWER_MS = 30_000;
/** How often answers are looked for, in milliseconds; Codis 2.0 takes 500. */
const LOOK_MS = 5;

/** The dashboard; `await using dashboard = new ScriptedDashboard(store)`. */
export class ScriptedDashboard implements AsyncDisposable {
  readonly store: Store;
  /** `host:port` of the one endpoint it serves: POST /api/proxy. */
  readonly addr: string;
  /** How long each action took from written to answered by all, in milliseconds. */
  readonly answerMs: number[] = [];
  /** The names of the actions sent, in order. */
  readonly actions: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(store: Store) {
    this.store = store;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    );
    this.addr = `127.0.0.1:${this.#server.addr.port}`;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || pathname !== "/api/proxy") {
      return new Response("not found", { status: 404 });
    }
    const { id, state } = await request.json() as ProxyRecord;
    try {
      await changeProxyState(this.store, id, state);
      return Response.json({ msg: "OK", ret: 0 });
    } catch (error) {
      return new Response((error as Error).message, { status: 500 });
    }
  }

  /** Sends an action to every online proxy and waits until all have answered. */
  async act<A extends ActionRecord>(type: A["type"], target: A["target"]): Promise<void> {
    const online = (await loadProxies(this.store)).filter(({ state }) => state === "online");
    const startedMs = performance.now();
    const name = await createAction(this.store, {
      type,
      desc: "",
      target,
      ts: String(Math.floor(Date.now() / 1000)),
      receivers: online.length === 0 ? null : online.map(encodeProxy),
    } as ActionRecord);
    this.actions.push(name);
    for (;;) {
      const answers = await loadAnswers(this.store, name);
      const silent = online.filter(({ id }) => !answers.includes(id));
      if (silent.length === 0) break;
      if (performance.now() - startedMs > ANSWER_MS) {
        throw new Error(`no answer to ${type} from ${silent.map(({ id }) => id).join(" ")}`);
      }
      await delay(LOOK_MS);
    }
    this.answerMs.push(performance.now() - startedMs);
  }

  /** Moves a slot to another group, step by step as Codis 2.0 does. */
  async moveSlot(slotId: number, groupId: number): Promise<void> {
    const slot = await loadSlot(this.store, slotId);
    const from = slot.group_id;
    if (from === groupId) return; // Codis 2.0 takes it as done
    await this.#setSlot(slot, "slot_premigrate", "pre_migrate", from, -1, -1);
    await this.#setSlot(slot, "slot_migrate", "migrate", groupId, from, groupId);
    await this.#moveKeys(slotId, await this.masterAddr(from), await this.masterAddr(groupId));
    await this.#setSlot(slot, "slot_changed", "online", groupId, -1, -1);
  }

  async #setSlot(
    slot: SlotRecord,
    type: "slot_premigrate" | "slot_migrate" | "slot_changed",
    status: SlotRecord["state"]["status"],
    groupId: number,
    from: number,
    to: number,
  ): Promise<void> {
    const next: SlotRecord = {
      ...slot,
      group_id: groupId,
      state: { ...slot.state, status, migrate_status: { from, to } },
    };
    await saveSlot(this.store, next);
    await this.act(type, next);
  }

  /** The address of a group's master. */
  async masterAddr(groupId: number): Promise<string> {
    return masterOf(await loadGroup(this.store, groupId)).addr;
  }

  /** Moves every key of a slot, with whichever commands the source has. */
  async #moveKeys(slotId: number, source: string, target: string): Promise<void> {
    const [host, port] = source.split(":");
    const [targetHost, targetPort] = target.split(":");
    using client = await RespClient.connect(Number(port), host);
    for (;;) {
      const moved = await client.call(
        ...["SLOTSMGRTTAGSLOT", targetHost!, targetPort!, 30_000, slotId],
      );
      if (!Array.isArray(moved)) break; // stock Redis
      if (moved[1] === 0) return;
    }
    const keys = await client.call("KEYS", "*") as string[];
    for (const key of keys.filter((name) => slotOf(name) === slotId)) {
      const reply = await client.call(
        ...["MIGRATE", targetHost!, targetPort!, key, 0, 30_000, "REPLACE"],
      );
      if (reply !== "OK" && reply !== "NOKEY") throw new Error(`key "${key}" not moved: ${reply}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
