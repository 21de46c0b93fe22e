/**
 * Certificates for tests, which are in tests/fixtures/tls and valid until 2119, and connections with them.
 *
 *     ca ──► server, client              other-ca ──► other-server, other-client, expired
 *
 * @module
 */

import type { TlsIdentity } from "../../src/io/tls.ts";
import { RespClient } from "./resp_client.ts";

/** A certificate of tests/fixtures/tls. */
export type CertificateName =
  | "server"
  | "client"
  | "other-server"
  | "other-client"
  | "expired";

/** An authority of tests/fixtures/tls. */
export type AuthorityName = "ca" | "other-ca";

const FOLDER = new URL("../fixtures/tls/", import.meta.url).pathname;

/** The path of a PEM file of tests/fixtures/tls. */
export function tlsFile(name: CertificateName | AuthorityName | `${CertificateName}-key`): string {
  return `${FOLDER}${name}.pem`;
}

/** The text of such a file. */
export function tlsText(name: Parameters<typeof tlsFile>[0]): string {
  return Deno.readTextFileSync(tlsFile(name));
}

/** An identity, with the authority of its peers. */
export function identityOf(name: CertificateName, ca: AuthorityName = "ca"): TlsIdentity {
  return { cert: tlsText(name), key: tlsText(`${name}-key`), ca: tlsText(ca) };
}

/** How a TLS client connects. */
export interface TlsClientOptions {
  /** The client's own certificate. */
  readonly as?: CertificateName;
  /** Which authority it trusts. @default ca */
  readonly trust?: AuthorityName;
}

/** Opens a TLS connection to 127.0.0.1 as a Redis client, after its side of the handshake. */
export async function tlsClient(port: number, options: TlsClientOptions = {}): Promise<RespClient> {
  const { as, trust = "ca" } = options;
  const conn = await Deno.connectTls({
    hostname: "127.0.0.1",
    port,
    caCerts: [tlsText(trust)],
    ...(as === undefined ? {} : { cert: tlsText(as), key: tlsText(`${as}-key`) }),
  });
  try {
    await conn.handshake();
  } catch (error) {
    conn.close();
    throw error;
  }
  return RespClient.on(conn);
}

/** The arguments of a redis-server that speaks TLS at this port, too, and asks for certificates. */
export function redisTlsArgs(port: number): string[] {
  return [
    ...["--tls-port", `${port}`, "--tls-cert-file", tlsFile("server")],
    ...["--tls-key-file", tlsFile("server-key"), "--tls-ca-cert-file", tlsFile("ca")],
  ];
}
