/**
 * The handshakes of clients that connect with TLS.
 *
 *     accepted ──► handshake ──► client with TLS ──► taken
 *                     ├─ fails, or is no TLS ─┐
 *                     ├─ takes too long ──────┼──► closed, counted, logged by address
 *                     └─ too many at once: the silent ┘
 *
 * A client that opens connections and never finishes a handshake holds each for a bounded time only, and
 * as many as there may be at once: the next one ends the oldest that has sent nothing. Clients that come back all
 * at once send their part at once.
 *
 * @module
 */

import { createServer, type PeerCertificate, type Server, type TLSSocket } from "node:tls";
import { CheckedCertificates } from "./checked_certificates.ts";
import type { AcceptedConnection } from "./listen.ts";
import { type RawConnection, SocketStream, TlsConnection } from "./tls_connection.ts";
import { certificateFault, TLS_VERSION_MIN, tlsFailure, type TlsIdentity } from "./tls.ts";

/** Whether clients must show a certificate: as Redis's `tls-auth-clients`. */
export type ClientCertificates = "no" | "optional" | "yes";

/** How clients are met. */
export interface TlsToClients {
  /** Replaced when the files change: clients that connect from then on meet the new one. */
  identity: TlsIdentity;
  certificates: ClientCertificates;
}

/** What becomes of those that connect. */
export interface TlsGateEvents {
  /** Takes a client whose handshake is done. */
  take(connection: AcceptedConnection): void;
  /** A handshake failed, and the connection was closed. */
  onFailure(remote: Deno.Addr, cause: string): void;
}

/** Bounds of handshakes. */
export interface TlsGateLimits {
  /** Longest time of one, in milliseconds. */
  readonly handshakeMs: number;
  /** How many may be under way at one time. */
  readonly handshakesMax: number;
}

/**
 * The bounds of a process that may have so many clients: where there are few descriptors, handshakes must not
 * take them all.
 */
export function gateLimits(clientsMax: number): TlsGateLimits {
  const { handshakeMs, handshakesMax } = GATE_LIMITS;
  return { handshakeMs, handshakesMax: Math.max(32, Math.min(handshakesMax, clientsMax >> 1)) };
}

/** The bounds in force unless others are given. */
export const GATE_LIMITS: TlsGateLimits = { handshakeMs: 10_000, handshakesMax: 256 };

type Emit = (this: Server, event: string, stream: SocketStream) => boolean;

/** See the header. */
export class TlsGate {
  readonly #events: TlsGateEvents;
  #limits: TlsGateLimits;
  #certificates: ClientCertificates;
  #server: Server;
  readonly #checked = new CheckedCertificates();
  #ca: string;
  /** The end of each handshake that is under way, oldest first. */
  readonly #handshakes = new Map<(cause: string) => void, SocketStream>();
  #isStopped = false;

  /** @throws {Error} When the identity cannot be used. */
  constructor(
    { identity, certificates }: TlsToClients,
    events: TlsGateEvents,
    limits: TlsGateLimits = GATE_LIMITS,
  ) {
    this.#events = events;
    this.#limits = limits;
    this.#certificates = certificates;
    this.#ca = identity.ca;
    this.#server = serverOf(identity, certificates);
  }

  /** Begins a handshake. Takes the connection. */
  take(raw: RawConnection): void {
    const { remoteAddr } = raw;
    const stream = new SocketStream(raw);
    const end = (cause: string) => {
      clearTimeout(timer);
      if (!this.#handshakes.delete(end)) return;
      stream.destroy();
      if (!this.#isStopped) this.#events.onFailure(remoteAddr, cause);
    };
    const { handshakeMs, handshakesMax } = this.#limits;
    const timer = setTimeout(
      () => end(`no TLS handshake within ${handshakeMs / 1000} s`),
      handshakeMs,
    );
    this.#handshakes.set(end, stream);
    // An end is not seen by node:tls before the first byte.
    for (const event of ["end", "close"]) {
      stream.on(event, () => end("it hung up during the TLS handshake"));
    }
    if (this.#handshakes.size > handshakesMax) this.#makeRoom();
    this.#begin(stream, {
      secured: (socket) => {
        clearTimeout(timer);
        if (!this.#handshakes.delete(end)) return;
        this.#secured(socket, stream, raw);
      },
      failed: (error) => end(tlsFailure(error)),
    });
  }

  /** Ends the oldest one that has sent nothing; when too many have, the oldest one. */
  #makeRoom(): void {
    let ended: ((cause: string) => void) | undefined;
    for (const [end, stream] of this.#handshakes) {
      if (stream.hasRead) continue;
      ended = end;
      break;
    }
    if (this.#handshakes.size > 2 * this.#limits.handshakesMax) [ended] = this.#handshakes.keys();
    ended?.("too many TLS handshakes at once");
  }

  /** Lets the server of node:tls do the handshake; what it says of this one comes here. */
  #begin(
    stream: SocketStream,
    { secured, failed }: { secured(socket: TLSSocket): void; failed(error: unknown): void },
  ): void {
    // Its events name no connection, so each has its own view of the server.
    const view: Server = Object.create(this.#server, {
      emit: {
        value: (event: string, ...args: unknown[]) => {
          if (event === "secureConnection") secured(args[0] as TLSSocket);
          else if (event === "tlsClientError") failed(args[0]);
          return true;
        },
      },
    });
    try {
      (this.#server.emit as Emit).call(view, "connection", stream);
    } catch (error) {
      failed(error);
    }
  }

  #secured(socket: TLSSocket, stream: SocketStream, raw: RawConnection): void {
    if (this.#certificates === "no") {
      return this.#events.take(new TlsConnection(socket, stream, raw));
    }
    const shown = socket.getPeerCertificate();
    const fault = this.#faultOf(socket, shown);
    if (fault !== undefined) {
      stream.destroy();
      return this.#events.onFailure(raw.remoteAddr, fault);
    }
    const name = shown.subject && commonNameOf(shown);
    this.#events.take(new TlsConnection(socket, stream, raw, name));
  }

  /** Why a client may not come in, if so. */
  #faultOf(socket: TLSSocket, shown: PeerCertificate): string | undefined {
    if (shown.subject === undefined) {
      // In a whole handshake, node:tls has seen to that.
      return this.#certificates === "yes" ? "it sent no certificate" : undefined;
    }
    if (socket.isSessionReused()) {
      if (this.#checked.has(shown)) return undefined;
      return "it resumed a TLS session, and its certificate was not checked for this port";
    }
    if (!socket.authorized) {
      return `its certificate is not valid: ${certificateFault(shown, socket.authorizationError)}`;
    }
    this.#checked.add(shown);
    return undefined;
  }

  /** There may be so many handshakes from now on. */
  limitTo(limits: TlsGateLimits): void {
    this.#limits = limits;
  }

  /**
   * Meets clients that connect from now on with another identity, and asks them for certificates or not.
   *
   * @throws {Error} When it cannot be used; the one before stays.
   */
  renew(identity: TlsIdentity, certificates: ClientCertificates = this.#certificates): void {
    // What is asked of clients belongs to a server of node:tls for good.
    if (certificates !== this.#certificates) this.#server = serverOf(identity, certificates);
    else this.#server.setSecureContext(contextOf(identity));
    this.#certificates = certificates;
    if (identity.ca !== this.#ca) this.#checked.trustOnly(identity.ca);
    this.#ca = identity.ca;
  }

  /** Ends the handshakes that are under way; clients that were taken stay. */
  stop(): void {
    this.#isStopped = true;
    for (const end of [...this.#handshakes.keys()]) end("");
  }
}

function serverOf(identity: TlsIdentity, certificates: ClientCertificates): Server {
  return createServer({
    ...contextOf(identity),
    requestCert: certificates !== "no",
    rejectUnauthorized: certificates === "yes",
    handshakeTimeout: 0x7fffffff, // ours closes the connection, too
  });
}

function contextOf({ cert, key, ca }: TlsIdentity) {
  return { cert, key, minVersion: TLS_VERSION_MIN, ...(ca === "" ? {} : { ca }) } as const;
}

/** The common name in a client's certificate; the first one of several. */
function commonNameOf({ subject }: PeerCertificate): string {
  const name = subject.CN as string | string[] | undefined;
  return (Array.isArray(name) ? name[0] : name) ?? "";
}
