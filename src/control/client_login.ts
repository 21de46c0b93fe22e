/**
 * Whether servers let proxies in as the user of clients: a replica does not get the users of its master, and as a
 * master it would refuse every request.
 *
 * @module
 */

import { parseAddress } from "../base/address.ts";
import type { Secret } from "../base/secret.ts";
import type { TlsToServers } from "../io/tls.ts";
import { RedisConnection } from "../redis/connection.ts";
import { RedisError } from "../redis/reply.ts";
import { ForceableError } from "./errors.ts";
import { IDENTITY_MS } from "./fit_server.ts";

/** How proxies log in for clients. */
export interface ClientLogin {
  /** The user by which proxies send the requests of clients; undefined: as the dashboard does. */
  readonly clients?: { readonly user: string; readonly password: Secret } | undefined;
  /** How servers are spoken to with TLS; without it, none is spoken. */
  readonly tls?: TlsToServers | undefined;
}

/**
 * Why a server does not let proxies in, to be said after its address.
 *
 * @returns `""` when it does; undefined when it does not answer.
 */
export async function refusalOfClients(
  { clients, tls }: ClientLogin,
  addr: string,
): Promise<string | undefined> {
  if (clients === undefined) return "";
  try {
    const times = { dialMs: IDENTITY_MS, replyMs: IDENTITY_MS, tls };
    (await RedisConnection.open(parseAddress(addr), { ...clients, ...times })).close();
    return "";
  } catch (error) {
    if (!(error instanceof RedisError)) return undefined;
    return `does not let proxies in as backend_client_user "${clients.user}" ` +
      `(${error.message})`;
  }
}

/** What to do about that. */
export function refusalAdvice(addr: string): string {
  return `make that user with \`codis-proxy config server harden ${addr} --apply\``;
}

/**
 * Checks that proxies can log in to a server. One that does not answer is reported elsewhere.
 *
 * @throws {StoreError} When it does not know the proxies' user.
 */
export async function checkServesClients(auth: ClientLogin, addr: string): Promise<void> {
  const refusal = await refusalOfClients(auth, addr) ?? "";
  if (refusal !== "") {
    throw new ForceableError(`${addr} ${refusal}: ${refusalAdvice(addr)}, or force it`);
  }
}
