/**
 * What Codis 2.0 left in etcd: keys of version 2, which etcd 2 keeps, and etcd 3 up to 3.5 with
 * `--enable-v2=true`, apart from the keys of version 3.
 *
 *     GET /v2/keys/<folder>?recursive ──► one picture of each folder ──► read(), children()
 *
 * @module
 */

import type { Secret } from "../../base/secret.ts";
import type { Entry, ReadableTree } from "../coordinator.ts";
import { CoordinatorError, NoNodeError } from "../errors.ts";
import { type EtcdTls, reasonIn } from "./client.ts";
import { nameOf, parentOf } from "../path.ts";

/** How etcd is reached. */
export interface Etcd2Options {
  /** URLs without a path; the first one that answers is read. */
  readonly endpoints: readonly string[];
  /** `user:password`; not set: none. */
  readonly auth: Secret;
  readonly tls: EtcdTls;
}

/** Longest time that one endpoint may take for one folder, in milliseconds. */
const ATTEMPT_MS = 3_000;

/** What etcd 2 says of a key that is not there. */
const KEY_NOT_FOUND = 100;

/** A key, as etcd 2 answers it. */
interface Etcd2Node {
  readonly key: string;
  readonly value?: string;
  readonly nodes?: readonly Etcd2Node[];
  readonly modifiedIndex: number;
}

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
    const { ca, cert, key } = options.tls;
    using http = Deno.createHttpClient({
      ...(ca === undefined ? {} : { caCerts: [ca] }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
    const nodes: Etcd2Node[] = [];
    for (const folder of folders) {
      const node = await readFolder(options, http, folder);
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

async function readFolder(
  { endpoints, auth }: Etcd2Options,
  http: Deno.HttpClient,
  folder: string,
): Promise<Etcd2Node | undefined> {
  const path = folder.split("/").map(encodeURIComponent).join("/");
  let problem = "";
  for (const endpoint of endpoints) {
    try {
      const response = await fetch(`${endpoint}/v2/keys${path}?recursive=true&quorum=true`, {
        client: http,
        headers: auth.isSet ? { authorization: `Basic ${toBase64(auth.reveal())}` } : {},
        signal: AbortSignal.timeout(ATTEMPT_MS),
      });
      const text = await response.text();
      if (response.ok) return (JSON.parse(text) as { node: Etcd2Node }).node;
      // Without a body of etcd 2's: it does not serve that version.
      if (response.status === 404 && !text.startsWith("{")) return undefined;
      const { errorCode, message } = JSON.parse(text) as { errorCode?: number; message?: string };
      if (errorCode === KEY_NOT_FOUND) return undefined;
      problem = `${endpoint}: ${message ?? `HTTP status ${response.status}`}`;
    } catch (error) {
      problem = `${endpoint}: ${reasonIn(error)}`;
    }
  }
  throw new CoordinatorError(folder, `cannot read "${folder}" from etcd 2's keys: ${problem}`);
}

function toBase64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}
