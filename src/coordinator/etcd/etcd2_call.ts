/**
 * One call to etcd's keys of version 2: the endpoints are tried one after the other.
 *
 * @module
 */

import type { Secret } from "../../base/secret.ts";
import { CoordinatorError } from "../errors.ts";
import { type EtcdTls, reasonIn } from "./client.ts";
import { encodeText } from "./keys.ts";

/** How etcd is reached. */
export interface Etcd2Options {
  /** URLs without a path; the first one that answers is asked. */
  readonly endpoints: readonly string[];
  /** `user:password`; not set: none. */
  readonly auth: Secret;
  readonly tls: EtcdTls;
}

/** A key, as etcd 2 answers it. */
export interface Etcd2Node {
  readonly key: string;
  readonly value?: string;
  readonly nodes?: readonly Etcd2Node[];
  readonly modifiedIndex: number;
}

/** What is asked of a key. */
export interface Etcd2Request {
  readonly method: "GET" | "PUT" | "DELETE";
  readonly path: string;
  /** Of a GET in the address, else in the body. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Longest time that one endpoint may take, in milliseconds. */
const ATTEMPT_MS = 3_000;

/** What etcd 2 says of a key that is not there. */
const KEY_NOT_FOUND = 100;

/** Opens what calls go through; close it in the end. */
export function openEtcd2({ tls: { ca, cert, key } }: Etcd2Options): Deno.HttpClient {
  return Deno.createHttpClient({
    ...(ca === undefined ? {} : { caCerts: [ca] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  });
}

/**
 * Asks, and answers the key; nothing when it is not there, or etcd does not serve version 2.
 *
 * @throws {CoordinatorError} When no endpoint answers, or etcd refuses to.
 */
export async function callEtcd2(
  { endpoints, auth }: Etcd2Options,
  http: Deno.HttpClient,
  { method, path, fields }: Etcd2Request,
): Promise<Etcd2Node | undefined> {
  const form = `${new URLSearchParams(fields)}`;
  const url = `/v2/keys${path.split("/").map(encodeURIComponent).join("/")}`;
  const headers = {
    ...auth.isSet && { authorization: `Basic ${encodeText(auth.reveal())}` },
    ...method === "PUT" && { "content-type": "application/x-www-form-urlencoded" },
  };
  let problem = "";
  for (const endpoint of endpoints) {
    try {
      const response = await fetch(`${endpoint}${url}${method === "PUT" ? "" : `?${form}`}`, {
        ...{ client: http, method, headers },
        ...method === "PUT" && { body: form },
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
  const verb = method === "GET" ? "read" : method === "PUT" ? "write" : "delete";
  throw new CoordinatorError(path, `cannot ${verb} "${path}" in etcd 2's keys: ${problem}`);
}
