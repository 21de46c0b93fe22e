/**
 * The commands `config proxy …`.
 *
 * @module
 */

import type { ProxyState } from "../../model/proxy.ts";
import { type CommandGroup, type FlagValues, readValue } from "../command.ts";
import { PROXY_NAME } from "./arguments.ts";
import { configCommand, type ConfigRow } from "./config_command.ts";
import type { Outcome } from "./output.ts";
import type { Session } from "./session.ts";
import { formatTable } from "./table.ts";

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show every proxy that is registered.",
    run: async (_values, session) => {
      const proxies = await (await session.client()).proxies();
      const rows = (proxies ?? []).map((proxy) => [
        ...[proxy.id, proxy.addr, proxy.state, proxy.debug_var_addr],
        ...[`${proxy.pid}`, proxy.start_at],
      ]);
      const heads = ["PROXY", "ADDRESS", "STATE", "HTTP", "PID", "STARTED"];
      const text = rows.length === 0 ? "no proxy is registered" : formatTable(heads, rows);
      return { json: proxies, text };
    },
  },
  {
    name: "online",
    summary: "Let a proxy serve clients.",
    arguments: [PROXY_NAME],
    run: (values, session) => setState(values, session, "online", "online"),
  },
  {
    name: "offline",
    summary: "Let a proxy end itself in order.",
    details: "The process stops: it finishes what clients have asked for and leaves the store.",
    arguments: [PROXY_NAME],
    run: (values, session) => setState(values, session, "mark_offline", "offline: it has ended"),
  },
];

/** See the header. */
export const proxyCommands: CommandGroup = {
  name: "proxy",
  summary: "The proxies.",
  flags: [],
  commands: ROWS.map(configCommand),
};

async function setState(
  values: FlagValues,
  session: Session,
  state: ProxyState,
  what: string,
): Promise<Outcome> {
  const name = readValue(values, PROXY_NAME);
  const json = await (await session.client()).setProxyState(name, state);
  return { json, text: `proxy ${name} is ${what}` };
}
