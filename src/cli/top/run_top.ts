/**
 * Runs `top`: asks, draws and reads keys, until it is told to end.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { withAdvice } from "../parts/config_command.ts";
import { CommandContext } from "../parts/context.ts";
import { toJson } from "../parts/output.ts";
import { type FlagValues, isGiven } from "../parts/subcommand.ts";
import { type TopData, TopFeed } from "./feed.ts";
import { JSON_SWITCH, ONE_SCREEN } from "./flags.ts";
import { pressKey, START, type TopState, typedKeys } from "./keys.ts";
import { drawScreen, screenText } from "./screen.ts";
import { Terminal, terminalSize } from "./terminal.ts";

/** Time between two screens, in milliseconds. */
const PERIOD_MS = 1_000;
/** Columns of a screen that does not go to a terminal. */
const TEXT_COLUMNS = 120;

/** Signals that end it, and the exit codes. */
const SIGNALS = { SIGINT: 0, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Shows the cluster until a key or a signal ends it.
 *
 * @returns The exit code.
 */
export async function runTop(values: FlagValues): Promise<number> {
  await using context = new CommandContext(values);
  try {
    const feed = new TopFeed(await context.followingClient());
    await feed.ask({ isOnSlow: true, isOnKeys: false, proxy: undefined });
    const { data } = feed;
    if (isGiven(values, JSON_SWITCH)) {
      console.log(toJson(jsonOf(data)));
      return 0;
    }
    const isTerminal = Deno.stdout.isTerminal();
    if (!isTerminal || isGiven(values, ONE_SCREEN)) {
      const columns = isTerminal ? terminalSize().columns : TEXT_COLUMNS;
      console.log(screenText(data, START, columns));
      return 0;
    }
    await using terminal = await Terminal.open();
    return await new Top(feed, terminal).run();
  } catch (error) {
    throw withAdvice(error);
  }
}

function jsonOf({ view, events, open, slow, slowProblem }: TopData) {
  return { cluster: view, events, open, slow_requests: slow, slow_problem: slowProblem };
}

/** Drawing, asking and reading keys, at the same time. */
class Top {
  readonly #feed: TopFeed;
  readonly #terminal: Terminal;
  #state: TopState = START;
  #changed = Promise.withResolvers<void>();

  constructor(feed: TopFeed, terminal: Terminal) {
    this.#feed = feed;
    this.#terminal = terminal;
  }

  /** @returns The exit code. */
  async run(): Promise<number> {
    const ended = Promise.withResolvers<number>();
    const onResize = () => {
      this.#terminal.forget();
      this.#change();
    };
    const onSignal = Object.entries(SIGNALS).map(([signal, code]) =>
      [signal as keyof typeof SIGNALS, () => ended.resolve(code)] as const
    );
    for (const [signal, listener] of onSignal) Deno.addSignalListener(signal, listener);
    Deno.addSignalListener("SIGWINCH", onResize);
    try {
      return await Promise.race([ended.promise, this.#ask(), this.#readKeys(), this.#draw()]);
    } finally {
      Deno.removeSignalListener("SIGWINCH", onResize);
      for (const [signal, listener] of onSignal) Deno.removeSignalListener(signal, listener);
    }
  }

  async #ask(): Promise<never> {
    for (;;) {
      await delay(PERIOD_MS);
      const { list, page, chosen } = this.#state;
      const isInside = page === "inside";
      await this.#feed.ask({
        isOnSlow: list === "slow",
        isOnKeys: list === "keys",
        proxy: isInside && list === "proxies" ? chosen.proxies : undefined,
      });
      this.#change();
    }
  }

  async #readKeys(): Promise<number> {
    for await (const text of this.#terminal.typed()) {
      for (const key of typedKeys(text)) {
        const step = pressKey(this.#state, key, this.#feed.data);
        if (step === "quit") return 0;
        this.#state = step;
      }
      this.#change();
    }
    // The terminal is gone.
    return SIGNALS.SIGHUP;
  }

  async #draw(): Promise<number> {
    for (;;) {
      this.#changed = Promise.withResolvers();
      const { lines, scrolled } = drawScreen(this.#feed.data, this.#state, this.#terminal.size);
      this.#state = { ...this.#state, scrolled };
      try {
        await this.#terminal.draw(lines);
      } catch { // The terminal is gone.
        return SIGNALS.SIGHUP;
      }
      // While nothing is answered, the time since then goes on.
      await Promise.race([this.#changed.promise, delay(PERIOD_MS)]);
    }
  }

  #change(): void {
    this.#changed.resolve();
  }
}
