/**
 * The PEM files of TLS: read, checked, and read again when they change.
 *
 *     files ── read, checked ──► identity ── in use
 *       │ changed, or a reload           ▲
 *       └── read, checked ──┬── good ────┘
 *                           └── bad: a warning; what was in use stays
 *
 * @module
 */

import { fileFault } from "../base/file_fault.ts";
import { KeyError } from "../base/key_error.ts";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { logger } from "../base/log.ts";
import type { TlsIdentity, TlsToServers } from "./tls.ts";

/** Time between two looks at the files, in milliseconds. */
const LOOK_MS = 2_000;
/** A time of a file that is older than this, in milliseconds, is another one after the next write. */
const SETTLED_MS = 2_000;
/** An identity that ends within this time is warned of. */
const EXPIRES_SOON_MS = 14 * 24 * 3600_000;

const log = logger("tls");

/** A file and the config key that names it; `path` is `""` when it is not configured. */
export interface TlsFile {
  readonly key: string;
  readonly path: string;
}

/** The files of an identity. */
export interface TlsFiles {
  readonly cert: TlsFile;
  readonly key: TlsFile;
  readonly ca: TlsFile;
}

/**
 * Reads and checks the files of an identity.
 *
 * @throws {KeyError} When they cannot be used; the message names config key, file and reason.
 */
export async function readTlsFiles({ cert, key, ca }: TlsFiles): Promise<TlsIdentity> {
  const identity = { cert: await readPem(cert), key: await readPem(key), ca: await readPem(ca) };
  if (identity.ca !== "") certificatesIn(identity.ca, ca);
  if (identity.cert !== "") checkPair(identity, cert, key);
  return identity;
}

function checkPair(identity: TlsIdentity, cert: TlsFile, key: TlsFile): void {
  const [own] = certificatesIn(identity.cert, cert);
  let isOfPair: boolean;
  try {
    isOfPair = own!.checkPrivateKey(createPrivateKey(identity.key));
  } catch (error) {
    const isLocked = identity.key.includes("ENCRYPTED");
    const reason = isLocked ? "it has a passphrase: remove that" : (error as Error).message;
    throw bad(key, `is not a private key that can be used: ${reason}`);
  }
  if (!isOfPair) {
    throw bad(key, `does not belong to the certificate of ${cert.key} = "${cert.path}"`);
  }
  try {
    createSecureContext({ cert: identity.cert, key: identity.key });
  } catch (error) {
    throw bad(cert, `cannot be used with ${key.key}: ${(error as Error).message}`);
  }
}

/**
 * How to speak TLS to servers: with these files, to certificates of this name.
 *
 * @returns `undefined` without files.
 * @throws {KeyError} As {@linkcode readTlsFiles}.
 */
export async function readTlsToServers(
  files: TlsFiles | undefined,
  serverName: string,
): Promise<TlsToServers | undefined> {
  return files && { identity: await readTlsFiles(files), serverName };
}

/** A certificate whose dates are wrong, or soon will be. */
interface DateFault {
  /** The config key of its file. */
  readonly key: string;
  readonly path: string;
  /** What it is: expired, not valid yet, or soon expired. */
  readonly what: string;
}

/** The certificates that have expired, soon will, or are not valid yet. */
export function dateFaults(identity: TlsIdentity, { cert, ca }: TlsFiles): DateFault[] {
  const read = [[identity.cert, cert], [identity.ca, ca]] as const;
  return read.flatMap(([pem, file]) => {
    if (pem === "") return [];
    const whats = certificatesIn(pem, file).map(dateFault).filter((what) => what !== "");
    return whats.map((what) => ({ ...file, what }));
  });
}

function dateFault({ validFrom, validTo }: X509Certificate): string {
  const [from, to, now] = [Date.parse(validFrom), Date.parse(validTo), Date.now()];
  if (to < now) return `expired at ${new Date(to).toISOString()}: others will refuse it`;
  if (from > now) return `is valid from ${new Date(from).toISOString()} on, not yet`;
  return to - now < EXPIRES_SOON_MS ? `expires at ${new Date(to).toISOString()}` : "";
}

function warnOfDates(identity: TlsIdentity, files: TlsFiles): void {
  for (const { key, path, what } of dateFaults(identity, files)) {
    log.warn("{key} = {path}: the certificate {what}", { key, path, what });
  }
}

function certificatesIn(pem: string, file: TlsFile): X509Certificate[] {
  let certificates: X509Certificate[];
  try {
    certificates = certificatesOf(pem);
  } catch (error) {
    throw bad(file, `has a certificate that cannot be read: ${(error as Error).message}`);
  }
  if (certificates.length === 0) throw bad(file, "has no certificate in PEM form");
  return certificates;
}

/**
 * The certificates in the text of a PEM file.
 *
 * @throws {Error} When one cannot be read.
 */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/**
 * Whether the first certificate of a PEM text is signed by an authority of another, perhaps by way of those behind it.
 *
 * @throws {Error} When one cannot be read.
 */
export function isSignedBy(cert: string, ca: string): boolean {
  const [own, ...between] = certificatesOf(cert);
  const authorities = certificatesOf(ca);
  const isBy = (signed: X509Certificate, signer: X509Certificate) =>
    signed.checkIssued(signer) && signed.verify(signer.publicKey);
  for (let signed = own!;;) {
    if (authorities.some((authority) => isBy(signed, authority))) return true;
    const next = between.findIndex((signer) => isBy(signed, signer));
    if (next < 0) return false;
    signed = between.splice(next, 1)[0]!;
  }
}

async function readPem(file: TlsFile): Promise<string> {
  if (file.path === "") return "";
  let text: string;
  try {
    text = await Deno.readTextFile(file.path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw bad(file, "no such file");
    throw bad(file, `cannot be read: ${fileFault(error).replace(/ \(os error.*$/, "")}`);
  }
  if (!text.includes("-----BEGIN ")) throw bad(file, "is not a PEM file");
  return text;
}

function bad({ key, path }: TlsFile, reason: string): KeyError {
  return new KeyError(key, path, reason);
}

/**
 * Reads files again when they change, from its construction until it is disposed of, and warns of
 * certificates that have expired, or soon will.
 */
export class TlsWatch implements Disposable {
  #files: TlsFiles;
  readonly #renew: (identity: TlsIdentity) => void;
  #identity: TlsIdentity;
  #seen = "";
  #isLooking = false;
  readonly #timer: ReturnType<typeof setInterval>;

  /**
   * @param identity What the files held before.
   * @param renew Called with what they hold now, if it is good and not the same; may throw.
   */
  constructor(
    files: TlsFiles,
    identity: TlsIdentity,
    renew: (identity: TlsIdentity) => void,
    lookMs = LOOK_MS,
  ) {
    this.#files = files;
    this.#identity = identity;
    this.#renew = renew;
    warnOfDates(identity, files);
    this.look(true);
    this.#timer = setInterval(() => this.look(false), lookMs);
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Takes what was read of files, which may be others than before.
   *
   * @param isOtherwise Whether it is used in another way, even if it is the same.
   */
  take(files: TlsFiles, identity: TlsIdentity, isOtherwise = false): void {
    this.#files = files;
    const isKnown = isSame(identity, this.#identity);
    if (isKnown && !isOtherwise) return;
    if (!isKnown) warnOfDates(identity, files);
    this.#renew(identity);
    this.#identity = identity;
    log.info("{keys} read again: new connections use what is there now", {
      keys: [files.cert, files.key, files.ca].filter(({ path }) => path !== "")
        .map((file) => file.key).join(", "),
    });
  }

  /** Looks at the files; reads them when they have changed, or when `isAsked`. */
  async look(isAsked: boolean): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { cert, key, ca } = this.#files;
    try {
      const sinceMs = Date.now() - SETTLED_MS;
      const stamps = await Promise.all([cert, key, ca].map(stampOf));
      const seen = stamps.map(({ text }) => text).join(" ");
      if (seen === this.#seen && !isAsked) return;
      // What has just been written may be written once more with the same time.
      this.#seen = stamps.some(({ changedMs }) => changedMs > sinceMs) ? "" : seen;
      const files = this.#files;
      const identity = await readTlsFiles(files);
      if (files === this.#files) this.take(files, identity); // else others were taken meanwhile
    } catch (error) {
      log.warn("TLS files not renewed, those that were read before stay in use: {cause}", {
        cause: (error as Error).message,
      });
    } finally {
      this.#isLooking = false;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** What changes when a file does, also when it is one behind a link, and when it did last. */
async function stampOf({ path }: TlsFile): Promise<{ text: string; changedMs: number }> {
  if (path === "") return { text: "", changedMs: 0 };
  try {
    const { mtime, size, ino } = await Deno.stat(path);
    const changedMs = mtime?.getTime() ?? 0;
    return { text: `${changedMs}:${size}:${ino}`, changedMs };
  } catch {
    return { text: "gone", changedMs: 0 };
  }
}

function isSame(one: TlsIdentity, two: TlsIdentity): boolean {
  return one.cert === two.cert && one.key === two.key && one.ca === two.ca;
}
