/**
 * HTTP between the processes of a product: with TLS for all of them, or for none. As with the log, how is a
 * matter of the process: it is set once, when it starts.
 *
 * @module
 */

let scheme: "http" | "https" = "http";
let client: Deno.HttpClient | undefined;
/** What it trusts, to be made once only: what is being asked by it goes on. */
let authority: string | undefined;

/**
 * Speaks TLS from now on.
 *
 * @param ca Text of a PEM file with the authority of the others' certificates; `""`: those that the runtime
 * trusts.
 */
export function useHttps(ca: string): void {
  if (ca === authority) return;
  authority = ca;
  scheme = "https";
  // The one before is not closed: requests may be under way.
  client = ca === "" ? undefined : Deno.createHttpClient({ caCerts: [ca] });
}

/** The URL of a process of the product. */
export function productUrl(addr: string, path = ""): string {
  return `${scheme}://${addr}${path}`;
}

/** What is wrong with certificates, by the words of the TLS library. */
const CERTIFICATE_FAULTS: readonly (readonly [RegExp, string])[] = [
  [/expired/i, "has expired"],
  [/not ?valid ?yet/i, "is not valid yet"],
  [/unknown ?issuer/i, "is not signed by an authority that we trust (dashboard_ca)"],
  [/not valid for name/i, "is not made for that address"],
];

/** What is wrong with the certificate of a process that was asked; `undefined`: that is not why it failed. */
export function refusedCertificate(message: string): string | undefined {
  const why = /invalid peer certificate: (.*)$/.exec(message)?.[1];
  if (why === undefined) return undefined;
  const what = CERTIFICATE_FAULTS.find(([words]) => words.test(why))?.[1];
  return what === undefined ? `its certificate is refused: ${why}` : `its certificate ${what}`;
}

/** As `fetch`, of a process of the product. */
export function productFetch(addr: string, path: string, init: RequestInit): Promise<Response> {
  return fetch(productUrl(addr, path), client === undefined ? init : { ...init, client });
}

/**
 * As {@linkcode productFetch}, with the `Host` of the headers instead of the address, for a request that is passed on.
 * The answer is there as a whole.
 */
export async function productFetchAs(
  addr: string,
  path: string,
  init: RequestInit,
): Promise<Response> {
  const caCerts = authority === undefined || authority === "" ? [] : [authority];
  using own = Deno.createHttpClient({ allowHost: true, http2: false, caCerts });
  const answer = await fetch(productUrl(addr, path), { ...init, client: own });
  return new Response(await answer.arrayBuffer(), answer);
}
