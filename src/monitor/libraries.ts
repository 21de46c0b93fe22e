/**
 * Whether the masters that have slots have the same function libraries, as they were last asked.
 *
 * @module
 */

import type { Control } from "../control/control.ts";
import { librariesOf, textsOf } from "../control/function_libraries.ts";
import { differentLibraries, type MasterLibraries } from "../store/different_libraries.ts";
import type { ServerMonitor } from "./servers.ts";

/** Longest time that a server may take to list its libraries, in milliseconds. */
const LIST_MS = 2_000;

/** See the header. */
export class LibraryMonitor {
  readonly #control: Pick<Control, "redis">;
  readonly #servers: Pick<ServerMonitor, "infoOf" | "downMs">;
  /** By address. */
  #problems: ReadonlyMap<string, string> = new Map();
  #asking: Promise<void> | undefined;

  /** Asks none yet; `servers` says which answer, and which have libraries at all. */
  constructor(control: Pick<Control, "redis">, servers: Pick<ServerMonitor, "infoOf" | "downMs">) {
    this.#control = control;
    this.#servers = servers;
  }

  /** How the libraries of a master differ from those of another one; `""`: they do not, as far as is known. */
  problemOf(addr: string): string {
    return this.#problems.get(addr) ?? "";
  }

  /** Forgets all. */
  clear(): void {
    this.#problems = new Map();
  }

  /**
   * Compares the libraries of masters; where no master has any, none is asked. Those that do not answer, and those
   * without functions, before Redis 7, are left out.
   *
   * @returns Settled when all have answered, or have not in time.
   */
  round(masters: readonly string[]): Promise<void> {
    this.#asking ??= this.#compare(masters).finally(() => this.#asking = undefined);
    return this.#asking;
  }

  async #compare(masters: readonly string[]): Promise<void> {
    const up = masters.filter((addr) => this.#servers.downMs(addr) === 0);
    const isAny = up.some((addr) => Number(this.#countOf(addr) ?? 0) > 0);
    const asked = isAny ? (await Promise.all(up.map((addr) => this.#ask(addr)))).flat() : [];
    const problems = new Map<string, string>();
    for (const { name, master, first, isMissing } of differentLibraries(asked)) {
      if (problems.has(master.addr)) continue;
      problems.set(
        master.addr,
        isMissing
          ? `it lacks the function library ${name}, which ${first.addr} has`
          : `its function library ${name} is another one than that of ${first.addr}`,
      );
    }
    this.#problems = problems;
  }

  #countOf(addr: string): string | undefined {
    return this.#servers.infoOf(addr)?.["number_of_libraries"];
  }

  async #ask(addr: string): Promise<MasterLibraries[]> {
    if (this.#countOf(addr) === undefined) return [];
    try {
      using redis = await this.#control.redis(addr, LIST_MS);
      const libraries = await librariesOf(redis);
      return libraries === undefined ? [] : [{ addr, libraries: textsOf(libraries) }];
    } catch {
      return []; // it is reported as down, if it is
    }
  }
}
