/**
 * Whether servers let proxies in as the user of clients, as they were last asked.
 *
 * @module
 */

/** Asks a server: why it does not; `""`: it does; undefined: it does not answer. */
export type AskRefusal = (addr: string) => Promise<string | undefined>;

/** See the header. */
export class ClientLogins {
  readonly #ask: AskRefusal;
  /** By address; without servers that have not answered yet. */
  readonly #refusals = new Map<string, string>();
  #asking: Promise<void> | undefined;

  /** Asks none yet. */
  constructor(ask: AskRefusal) {
    this.#ask = ask;
  }

  /** Why a server does not let proxies in, to be said after its address; `""`: it does, as far as is known. */
  refusalOf(addr: string): string {
    return this.#refusals.get(addr) ?? "";
  }

  /** Forgets all. */
  clear(): void {
    this.#refusals.clear();
  }

  /**
   * Asks servers, all at once. What one said that does not answer now stays known.
   *
   * @returns Settled when all have answered, or have not in time.
   */
  round(addrs: readonly string[]): Promise<void> {
    this.#asking ??= this.#askAll(addrs).finally(() => this.#asking = undefined);
    return this.#asking;
  }

  async #askAll(addrs: readonly string[]): Promise<void> {
    for (const addr of this.#refusals.keys()) {
      if (!addrs.includes(addr)) this.#refusals.delete(addr);
    }
    await Promise.all(addrs.map(async (addr) => {
      const refusal = await this.#ask(addr);
      if (refusal !== undefined) this.#refusals.set(addr, refusal);
    }));
  }
}
