/**
 * What Codis 2.0 left in etcd: keys of version 2, which etcd 2 keeps, and etcd 3 up to 3.5 with
 * `--enable-v2=true`, apart from the keys of version 3.
 *
 *     GET /v2/keys/<folder>?recursive ──► one picture of each folder ──► read(), children()
 *
 * @module
 */

import type { Entry, ReadableTree } from "../coordinator.ts";
import { NoNodeError } from "../errors.ts";
import { callEtcd2, type Etcd2Node, type Etcd2Options, openEtcd2 } from "./etcd2_call.ts";
import { nameOf, parentOf } from "../path.ts";

/** See the header; read once, never again. */
export class Etcd2Tree implements ReadableTree {
  readonly #entries = new Map<string, Entry>();
  readonly #children = new Map<string, string[]>();

  private constructor(nodes: readonly Etcd2Node[]) {
    for (const node of nodes) this.#add(node);
  }

  /**
   * Reads what is below some folders.
   *
   * @returns Nothing when etcd does not serve version 2, or has none of the folders.
   * @throws {CoordinatorError} When no endpoint answers, or etcd refuses to.
   */
  static async load(
    options: Etcd2Options,
    folders: readonly string[],
  ): Promise<Etcd2Tree | undefined> {
    using http = openEtcd2(options);
    const nodes: Etcd2Node[] = [];
    for (const folder of folders) {
      const fields = { recursive: "true", quorum: "true" };
      const node = await callEtcd2(options, http, { method: "GET", path: folder, fields });
      if (node !== undefined) nodes.push(node);
    }
    return nodes.length === 0 ? undefined : new Etcd2Tree(nodes);
  }

  read(path: string): Promise<Entry> {
    const entry = this.#entries.get(path);
    return entry === undefined
      ? Promise.reject(new NoNodeError(path, "read"))
      : Promise.resolve(entry);
  }

  children(path: string): Promise<string[]> {
    if (!this.#entries.has(path)) return Promise.reject(new NoNodeError(path, "read"));
    return Promise.resolve([...this.#children.get(path) ?? []].sort());
  }

  #add({ key, value, nodes, modifiedIndex }: Etcd2Node): void {
    this.#entries.set(key, { data: value ?? "", version: modifiedIndex });
    const siblings = this.#children.get(parentOf(key));
    if (siblings === undefined) this.#children.set(parentOf(key), [nameOf(key)]);
    else siblings.push(nameOf(key));
    for (const node of nodes ?? []) this.#add(node);
  }
}
