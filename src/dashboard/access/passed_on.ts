/**
 * Where a request came from that another dashboard has passed on. It says so in a header, and proves by the
 * `dashboard_token` that both have that it is a dashboard: otherwise any client could take another one's address.
 *
 *     X-Codis-Client: address, Unix milliseconds, HMAC-SHA256 of both and of what is asked
 *
 * @module
 */

import type { IncomingRequest } from "../../api/auth.ts";
import { isLoopback } from "../../base/address.ts";
import { isSameSecret, type Secret, signatureOf } from "../../base/secret.ts";

const HEADER = "x-codis-client";
/** How old what is said may be, and how far apart the clocks of two dashboards, in milliseconds. */
const AGE_MS_MAX = 60_000;

/**
 * Says in the headers of a request that is passed on where it came from, if that can be proved.
 *
 * @param token Not set: nothing can be proved.
 * @param address Of the client.
 */
export async function nameClient(
  headers: Headers,
  token: Secret,
  address: string,
  { request, url }: IncomingRequest,
): Promise<void> {
  headers.delete(HEADER);
  // To the leader, a loopback address would mean its own machine.
  if (!token.isSet || isLoopback(address)) return;
  const at = `${Date.now()}`;
  const signature = await signatureOf(token.reveal(), signedText(address, at, request, url));
  headers.set(HEADER, `${address}, ${at}, ${signature}`);
}

/** The address of the client of a request that another dashboard has passed on; undefined: none is proved. */
export async function provenClient(
  token: Secret,
  request: Request,
  url: URL,
): Promise<string | undefined> {
  const [address = "", at = "", signature = ""] = request.headers.get(HEADER)?.split(", ") ?? [];
  if (!token.isSet || signature === "") return undefined;
  if (!(Math.abs(Date.now() - Number(at)) <= AGE_MS_MAX)) return undefined;
  const text = signedText(address, at, request, url);
  const right = await Promise.all(token.revealAll().map((each) => signatureOf(each, text)));
  return right.map((each) => isSameSecret(signature, each)).includes(true) ? address : undefined;
}

function signedText(address: string, at: string, { method }: Request, url: URL): string {
  return ["codis client", address, at, method, url.pathname + url.search].join("\n");
}
