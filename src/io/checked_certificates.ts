/**
 * The certificates of clients that were checked in a whole handshake.
 *
 *     whole handshake, certificate valid ──► add
 *     resumed session ──► has? ──┬── yes ──► let in
 *                                └── no ───► cut
 *
 * The runtime lets a client resume any TLS session of its thread, also one of a port that asks for no
 * certificate, and does not check the certificate of a resumed session again, whatever the authority is now.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { certificatesOf } from "./tls_files.ts";

/** Certificates that are remembered; then the oldest are forgotten. */
const CERTIFICATES_MAX = 10_000;

/** What is needed of a certificate: its bytes, and their hash. */
export interface ShownCertificate {
  readonly fingerprint256: string;
  readonly raw: Uint8Array;
}

/** See the header. */
export class CheckedCertificates {
  /** By their fingerprints. */
  readonly #checked = new Map<string, Uint8Array>();

  /** Remembers one that has just been checked. */
  add({ fingerprint256, raw }: ShownCertificate): void {
    if (this.#checked.has(fingerprint256)) return;
    this.#checked.set(fingerprint256, raw);
    if (this.#checked.size <= CERTIFICATES_MAX) return;
    for (const oldest of this.#checked.keys()) return void this.#checked.delete(oldest);
  }

  /** Whether it was checked, and is still trusted. */
  has({ fingerprint256 }: ShownCertificate): boolean {
    return this.#checked.has(fingerprint256);
  }

  /**
   * The authorities are others now: forgets those that none of them has signed itself. Where there is a
   * certificate in between, the next whole handshake says.
   */
  trustOnly(ca: string): void {
    const authorities = certificatesOf(ca);
    for (const [fingerprint, raw] of this.#checked) {
      const shown = new X509Certificate(raw);
      const isTrusted = authorities.some((authority) =>
        shown.checkIssued(authority) && shown.verify(authority.publicKey)
      );
      if (!isTrusted) this.#checked.delete(fingerprint);
    }
  }
}
