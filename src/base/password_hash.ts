/**
 * Passwords as they are kept: scrypt with a salt of its own for each, so that whoever reads them must try
 * every guess for every user, at the cost of 32 MB of memory each.
 *
 *     scrypt$<N>$<r>$<p>$<salt>$<key>      salt and key in base64
 *
 * The work is done on another thread. Two at a time: many logins at once must not take all memory and
 * every CPU from what the process is for.
 *
 * @module
 */

import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto";

/** What one hash costs: memory is 128 × N × r bytes. */
const COST = { N: 32_768, r: 8, p: 1 } as const;
/** Of the salt and the key, in bytes. */
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** Most memory that a stored hash may ask for, in bytes. */
const MEMORY_MAX = 128 * 1024 * 1024;
/** Hashes that are worked out at the same time, and that may wait for it. */
const AT_ONCE = 2;
const WAITING_MAX = 16;

/** More passwords wait to be checked than may. */
export class TooManyPasswordsError extends Error {
  override readonly name = "TooManyPasswordsError";
}

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Hashes a new password.
 *
 * @throws {TooManyPasswordsError} When too many wait already.
 */
export async function scryptPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt, COST);
  const { N, r, p } = COST;
  return ["scrypt", N, r, p, salt.toString("base64"), key.toString("base64")].join("$");
}

/**
 * Checks a password against a stored hash. It takes as long for a user that does not exist, with
 * {@linkcode NO_PASSWORD}.
 *
 * @throws {TooManyPasswordsError} When too many wait already.
 */
export async function isPassword(password: string, stored: string): Promise<boolean> {
  const [scheme, N, r, p, salt = "", key = ""] = stored.split("$");
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  if (scheme !== "scrypt" || !(cost.N * cost.r * 128 <= MEMORY_MAX) || !(cost.p <= 4)) return false;
  const right = Uint8Array.fromBase64(key);
  const given = await derive(password, Uint8Array.fromBase64(salt), cost);
  return given.length === right.length && timingSafeEqual(given, right);
}

/** The hash of no password. */
export const NO_PASSWORD = `scrypt$${COST.N}$${COST.r}$${COST.p}$${"A".repeat(22)}==$${
  "A".repeat(43)
}=`;

async function derive(
  password: string,
  salt: Uint8Array,
  cost: Pick<ScryptOptions, "N" | "r" | "p">,
): Promise<Uint8Array & { toString(encoding: "base64"): string }> {
  if (running >= AT_ONCE) {
    if (waiting.length >= WAITING_MAX) {
      throw new TooManyPasswordsError(
        "too many passwords are being checked: try again in a moment",
      );
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running++;
  try {
    const options = { ...cost, maxmem: MEMORY_MAX * 2 };
    return await new Promise((resolve, reject) =>
      scrypt(password.normalize("NFC"), salt, KEY_BYTES, options, (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      })
    );
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
