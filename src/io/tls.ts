/**
 * What both ends of TLS have in common: who we are, whom we trust, which versions we speak.
 *
 * @module
 */

import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { isIP } from "node:net";
import { type RawConnection, SocketStream, TlsConnection } from "./tls_connection.ts";

/** The oldest version that is spoken; ciphers are the runtime's defaults, which are safe ones. */
export const TLS_VERSION_MIN = "TLSv1.2";

/** The text of PEM files; `""` for a file that is not configured. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** Authorities that sign the peer's certificate; `""` for those that the system trusts. */
  readonly ca: string;
}

/** How servers are connected to. */
export interface TlsToServers {
  /** Replaced when the files change: connections made from then on use the new one. */
  identity: TlsIdentity;
  /** The name in the servers' certificates; `""` for the host that is dialed. */
  serverName: string;
}

/**
 * Speaks TLS on a connection that was dialed.
 *
 * @throws {Error} When the two do not agree; the connection is closed then.
 */
export function secureDialed(
  raw: RawConnection,
  hostname: string,
  { identity, serverName }: TlsToServers,
): Promise<TlsConnection> {
  const stream = new SocketStream(raw);
  const name = serverName === "" ? hostname : serverName;
  const { cert, key, ca } = identity;
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      stream.destroy();
      reject(new Error(tlsFailure(error), { cause: error }));
    };
    stream.on("close", () => reject(new Error("connection closed during the TLS handshake")));
    const socket: TLSSocket = connect({
      socket: stream,
      host: name,
      // An address is no server name for SNI; it is checked all the same.
      ...(isIP(name) ? {} : { servername: name }),
      minVersion: TLS_VERSION_MIN,
      ...(ca === "" ? {} : { ca }),
      ...(cert === "" ? {} : { cert, key }),
    });
    socket.on("error", failed);
    socket.on("secureConnect", () => {
      socket.off("error", failed);
      resolve(new TlsConnection(socket, stream, raw));
    });
  });
}

/** What the runtime says of a certificate whatever is wrong with it, its dates included. */
const UNSIGNED = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";

/** What is wrong with a peer's certificate, in words for the log; `code` is what the runtime says. */
export function certificateFault(
  { valid_from: from, valid_to: to }: PeerCertificate,
  code: unknown,
): string {
  const now = Date.now();
  if (Date.parse(to) < now) return `it expired at ${new Date(to).toISOString()}`;
  if (Date.parse(from) > now) return `it is not valid before ${new Date(from).toISOString()}`;
  return code === UNSIGNED ? "it is not signed by an authority that we trust" : `${code}`;
}

/** Why TLS failed, in words for the log. */
export function tlsFailure(error: unknown): string {
  const { code = "", message } = error as { code?: string; message: string };
  // The certificate itself is gone by now.
  if (code === UNSIGNED) {
    return "TLS: its certificate is not signed by an authority that we trust, or not valid now";
  }
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return "it does not speak TLS";
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "it sent no certificate";
  if (code === "ECONNRESET" || code === "EPIPE") return "it hung up during the TLS handshake";
  return `TLS: ${message.replace(/ \((SSL routines|os error)[^)]*\)/g, "")}`;
}

/** What ends a connection where one end speaks TLS, or does not trust the other. */
const TLS_FAULT = /\bTLS\b|fatal alert|certificate|corrupt message/i;

/** Whether a connection ended because its ends do not trust each other, or only one speaks TLS: a new one would too. */
export function isTlsFault(cause: string): boolean {
  return TLS_FAULT.test(cause);
}
