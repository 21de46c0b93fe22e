/**
 * The service that a proxy attaches to its HTTP address: opened when clients are served, so that none of them waits
 * for it, or when somebody asks for it before.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { Metric } from "../base/prometheus.ts";
import type { AttachableService, AttachedPlace, AttachedService } from "./proxy_start.ts";

/** How soon it is opened when clients are served: not before those who waited have had a reply; milliseconds. */
const SERVED_MS = 100;
/** How soon while none is served; milliseconds. */
const UNSERVED_MS = 1_000;

const log = logger("proxy");

/** See the header. */
export class Attachment {
  readonly #attach: () => Promise<AttachedService>;
  #opening: Promise<AttachedService> | undefined;
  /** There when it is open. */
  #service: AttachedService | undefined;
  #timer: ReturnType<typeof setTimeout>;
  #isStopped = false;

  /** Opens nothing yet. */
  constructor(attach: AttachableService, place: AttachedPlace) {
    this.#attach = () => attach.open(place);
    this.#timer = setTimeout(() => this.open(), UNSERVED_MS);
  }

  /** Clients are served. */
  serving(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), SERVED_MS);
  }

  /** Opens it, if nobody has. */
  open(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped || this.#opening !== undefined) return;
    this.#opening = this.#attach();
    this.#opening.then((service) => this.#service = service, (error) => {
      log.error("the dashboard cannot be started: {error}", { error });
    });
  }

  /** Waits until it is open. */
  async answer(request: Request, remote: string): Promise<Response> {
    this.open();
    try {
      const service = await this.#opening;
      if (service !== undefined) return await service.answer(request, remote);
    } catch {
      // It is in the log.
    }
    return new Response("the dashboard could not be started; see the log\n", { status: 503 });
  }

  /** What it measures; nothing before it is open. */
  metrics(): Metric[] {
    return this.#service?.metrics() ?? [];
  }

  /** Ends it, or never opens it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const service = await this.#opening?.catch(() => undefined);
    await service?.stop();
  }
}
