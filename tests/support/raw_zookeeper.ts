/**
 * A ZooKeeper session as other programs have them: Codis 2.0's nodes with Codis 2.0's rights.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import library from "node-zookeeper-client";

/** Codis 2.0's rights: of nodes with children, of nodes without, and of those about to be deleted. */
export const CODIS2_RIGHTS = { dir: 31, file: 19, doomed: 25 } as const;

/** One session; `await using raw = await RawZookeeper.open(port)`. */
export class RawZookeeper implements AsyncDisposable {
  // deno-lint-ignore no-explicit-any -- the library has no types
  readonly #client: any;

  private constructor(port: number) {
    this.#client = library.createClient(`127.0.0.1:${port}`, { sessionTimeout: 10_000 });
  }

  /** Opens a session. */
  static async open(port: number): Promise<RawZookeeper> {
    const raw = new RawZookeeper(port);
    const connected = new Promise((resolve) => raw.#client.once("connected", resolve));
    raw.#client.connect();
    await connected;
    return raw;
  }

  /** Creates a node for everybody. */
  async create(
    path: string,
    data: string,
    rights: number,
    isEphemeral = false,
  ): Promise<void> {
    const acls = [new library.ACL(rights, library.Id.ANYONE_ID_UNSAFE)];
    const mode = isEphemeral ? 1 : 0;
    await this.#call((done) => this.#client.create(path, Buffer.from(data), acls, mode, done));
  }

  /** Reads a node's data. */
  async read(path: string): Promise<string> {
    return `${await this.#call<Buffer>((done) => this.#client.getData(path, done))}`;
  }

  /** Writes a node at any version. */
  async write(path: string, data: string): Promise<void> {
    await this.#call((done) => this.#client.setData(path, Buffer.from(data), -1, done));
  }

  /** Deletes a node at any version. */
  async delete(path: string): Promise<void> {
    await this.#call((done) => this.#client.remove(path, -1, done));
  }

  /** Who may do what: `world:anyone:31`. */
  async rights(path: string): Promise<string> {
    interface Acl {
      readonly permission: number;
      readonly id: { readonly scheme: string; readonly id: string };
    }
    const acls = await this.#call<Acl[]>((done) => this.#client.getACL(path, done));
    return acls.map(({ permission, id }) => `${id.scheme}:${id.id}:${permission}`).join(" ");
  }

  /** Changes who may do what, for everybody. */
  async setRights(path: string, rights: number): Promise<void> {
    const acls = [new library.ACL(rights, library.Id.ANYONE_ID_UNSAFE)];
    await this.#call((done) => this.#client.setACL(path, acls, -1, done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#client.once("disconnected", resolve));
    this.#client.close();
    await closed;
  }

  #call<T>(send: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      send((error, value) => error ? reject(error) : resolve(value));
    });
  }
}
