/**
 * What the dashboard reports of proxies: those that do not answer it, and those that have ended without
 * leaving. Each is named by its address for clients: that is all that its fence tells. And what proxies
 * say of servers: that they refuse requests which a server would not answer in time.
 *
 * @module
 */

import type { ProxyView, ServerView } from "../api/cluster_view.ts";
import type { OutageReporter } from "./server_outages.ts";

const KIND = "proxy_gone";
/** A proxy that is there, and whose certificate is refused: see `refusedCertificate` of api/product_http.ts. */
const CERTIFICATE = /\bits certificate /;

/** Reports what the last round over all proxies says. */
export class ProxyOutages {
  readonly #reporter: OutageReporter;
  /** The ids of proxies, by address, as they were last seen. */
  readonly #ids = new Map<string, string>();

  constructor(reporter: OutageReporter) {
    this.#reporter = reporter;
  }

  /** @param deadFences Addresses of proxies that did not leave cleanly. */
  report(proxies: readonly ProxyView[], deadFences: readonly string[]): void {
    for (const { id, addr, is_reachable, problem } of proxies) {
      this.#ids.set(addr, id);
      if (is_reachable) {
        this.#reporter.outage({
          ...{ kind: KIND, phase: "end", subject: addr, proxy: id },
          text: `proxy ${id} (${addr}) answers again`,
        });
        continue;
      }
      this.#reporter.outage({
        ...{ kind: KIND, phase: "begin", subject: addr, proxy: id },
        text: `proxy ${id} (${addr}) does not answer this dashboard`,
        cause: problem,
        hint: CERTIFICATE.test(problem)
          ? "it may serve its clients: look at http_tls_cert of that proxy, which must be made for this address, " +
            "and at dashboard_ca of this dashboard"
          : "look at its machine and its log, and start it again; changes of the cluster wait for it, " +
            "until it is back or, if it has surely ended, config action remove-fence",
      });
    }
    const present = new Set(proxies.map(({ addr }) => addr));
    for (const addr of deadFences) {
      if (present.has(addr)) continue;
      present.add(addr);
      const id = this.#ids.get(addr) ?? "";
      this.#reporter.outage({
        ...{ kind: KIND, phase: "begin", subject: addr, proxy: id },
        text: `proxy ${id === "" ? addr : `${id} (${addr})`} has ended without leaving`,
        cause: "its session with the coordinator has ended, and its fence is left",
        hint: "start it again; if it will not come back, config action remove-fence: " +
          "until then nothing in the cluster can be changed",
      });
    }
    this.#reporter.keepOnly(KIND, present);
    for (const addr of this.#ids.keys()) if (!present.has(addr)) this.#ids.delete(addr);
  }
  /** @param refusals What proxies say of each server; empty when none says anything. */
  reportRefusals(refusals: ReadonlyMap<string, ServerView["refused"]>): void {
    for (const [addr, refused] of refusals) {
      const who = refused?.proxies === 1 ? "a proxy refuses" : `${refused?.proxies} proxies refuse`;
      this.#reporter.outage({
        ...{ kind: "circuit_open", subject: addr, server: addr },
        ...(refused === null ? { phase: "end", text: `${addr} answers proxies in time again` } : {
          phase: "begin",
          text: `${who} requests for ${addr}, which does not answer in time`,
          cause: refused.cause,
          hint: "look at its SLOWLOG, its machine and its network",
        }),
      });
    }
    if (refusals.size > 0) this.#reporter.keepOnly("circuit_open", new Set(refusals.keys()));
  }
}
