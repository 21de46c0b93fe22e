/**
 * A network for each program, and a switch between them that can lose what one sends to another.
 *
 *      this machine ─┐
 *      proxy 1 ──────┤ switch: a bridge in a namespace of its own; rules of nftables drop packets
 *      server 1 ─────┘         by source and destination, so in one direction only, where wanted
 *
 * @module
 */

import type { Place } from "../../support/place.ts";

/** Loses all that `from` sends to `to`. */
export interface Loss {
  readonly from: string;
  readonly to: string;
}

const PREFIX = "codis-";
const SWITCH = "switch";
/** Of this machine in the network. */
const OWN_NUMBER = 254;

/** See the header. */
export class Networks implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #subnet = `10.213.${1 + Deno.pid % 250}`;

  private constructor(names: readonly string[]) {
    this.#names = names;
  }

  /**
   * What keeps networks from being made here; `""`: nothing.
   */
  static async obstacle(): Promise<string> {
    if (Deno.uid() !== 0) return "network namespaces need root: run it with sudo";
    for (const [program, debian] of [["ip", "iproute2"], ["nft", "nftables"]]) {
      const { success } = await new Deno.Command("sh", {
        args: ["-c", `command -v ${program}`],
        stdout: "null",
      }).output();
      if (!success) return `the program ${program} is missing: apt-get install ${debian}`;
    }
    return "";
  }

  /** Makes a network for each name. */
  static async make(names: readonly string[]): Promise<Networks> {
    const networks = new Networks(names);
    await removeLeft();
    try {
      await networks.#make();
      return networks;
    } catch (error) {
      await networks[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #make(): Promise<void> {
    const bridge = this.#space(SWITCH);
    await run("ip", "netns", "add", bridge);
    await run("ip", "-n", bridge, "link", "add", "br0", "type", "bridge");
    await run("ip", "-n", bridge, "link", "set", "br0", "up");
    const own = `codis${Deno.pid}`;
    await run("ip", "link", "add", own, "type", "veth", "peer", "name", "own", "netns", bridge);
    await run("ip", "-n", bridge, "link", "set", "own", "master", "br0", "up");
    await run("ip", "addr", "add", `${this.#subnet}.${OWN_NUMBER}/24`, "dev", own);
    await run("ip", "link", "set", own, "up");
    for (const [i, name] of this.#names.entries()) {
      const space = this.#space(name);
      await run("ip", "netns", "add", space);
      await run(
        ...["ip", "-n", space, "link", "add", "eth0", "type", "veth"],
        ...["peer", "name", `port${i}`, "netns", bridge],
      );
      await run("ip", "-n", bridge, "link", "set", `port${i}`, "master", "br0", "up");
      await run("ip", "-n", space, "addr", "add", `${this.#host(name)}/24`, "dev", "eth0");
      await run("ip", "-n", space, "link", "set", "eth0", "up");
      await run("ip", "-n", space, "link", "set", "lo", "up");
    }
  }

  /** Where a program runs. */
  placeOf(name: string): Place {
    if (!this.#names.includes(name)) throw new Error(`"${name}" has no network`);
    return { host: this.#host(name), enter: ["ip", "netns", "exec", this.#space(name)] };
  }

  /** Loses this and nothing else from now on. */
  async lose(losses: readonly Loss[]): Promise<void> {
    const rules = losses.map(({ from, to }) =>
      `ip saddr ${this.#host(from)} ip daddr ${this.#host(to)} drop`
    );
    const text = [
      "flush ruleset",
      "table bridge losses { chain forward {",
      "type filter hook forward priority 0; policy accept;",
      ...rules,
      "}",
      "}",
    ].join("\n");
    await run(
      "ip",
      "netns",
      "exec",
      this.#space(SWITCH),
      "sh",
      "-c",
      `nft -f - <<'END'\n${text}\nEND`,
    );
  }

  #host(name: string): string {
    return `${this.#subnet}.${1 + this.#names.indexOf(name)}`;
  }

  #space(name: string): string {
    return `${PREFIX}${Deno.pid}-${name.replaceAll(" ", "")}`;
  }

  /** Removes all networks; programs in them must have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await removeSpaces((pid) => Promise.resolve(pid === Deno.pid));
  }
}

/** Removes what a run left that was killed. */
function removeLeft(): Promise<void> {
  return removeSpaces(async (pid) => {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", 'kill -0 "$1"', "sh", `${pid}`],
      stderr: "null",
    }).output();
    return !success;
  });
}

async function removeSpaces(isWanted: (pid: number) => Promise<boolean>): Promise<void> {
  const { stdout } = await new Deno.Command("ip", { args: ["netns", "list"] }).output();
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const [name, pid] = /^codis-(\d+)-\S+/.exec(line) ?? [];
    if (name !== undefined && await isWanted(Number(pid))) await run("ip", "netns", "del", name);
  }
}

async function run(...words: string[]): Promise<void> {
  const [program, ...args] = words;
  const { success, stderr } = await new Deno.Command(program!, { args, stdout: "null" }).output();
  if (!success) throw new Error(`${words.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
