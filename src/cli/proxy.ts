/**
 * The command `proxy`: the flags of Codis 2.0's codis-proxy.
 *
 * @module
 */

import { parseListenAddress } from "../base/address.ts";
import { parseByteSize } from "../base/byte_size.ts";
import { parseLogLevel, roomLogger, startLog, stopLog } from "../base/log.ts";
import { loadConfig } from "../config/config.ts";
import { defaultWorkers } from "../proxy/open_data_plane.ts";
import { runProxy } from "../proxy/proxy.ts";
import { type Command, type Flag, type FlagValues, readFlag } from "./command.ts";
import { attachedDashboard } from "./dashboard_service.ts";

/** Most workers that may be asked for. */
const CPUS_MAX = 64;

/** Where the proxy listens, for every command that starts one. */
export function addressFlags(addr: string, httpAddr: string): readonly Flag[] {
  return [
    { name: "addr", value: "host:port", default: addr, help: "where Redis clients connect" },
    { name: "http-addr", value: "host:port", default: httpAddr, help: "where HTTP is served" },
  ];
}

/** See the header. */
export const proxyCommand: Command = {
  name: "proxy",
  summary: "Serve Redis clients.",
  flags: [
    { name: "c", value: "config_file", default: "config.ini", help: "the config file" },
    {
      name: "L",
      value: "log_file",
      default: "",
      help: "log to files named <log_file>.<k>; without it to standard error",
    },
    { name: "log-level", value: "level", default: "info", help: "error, warn, info or debug" },
    { name: "log-filesize", value: "size", default: "1GB", help: "size at which a log file ends" },
    {
      name: "cpu",
      value: "number",
      default: "",
      help: "CPUs to use, a worker for each; without it all there are, 8 at most",
    },
    ...addressFlags(":9000", ":9001"),
  ],
  run: runProxyCommand,
};

async function runProxyCommand(values: FlagValues): Promise<number> {
  const listen = readFlag(values, "addr", parseListenAddress);
  const http = readFlag(values, "http-addr", parseListenAddress);
  const workers = readFlag(values, "cpu", parseCpuCount);
  const { config, warnings } = await loadConfig(values["c"]!);
  startLog({
    level: parseLogLevel(values["log-level"]!),
    file: values["L"] === "" ? undefined : values["L"],
    fileBytesMax: readFlag(values, "log-filesize", parseByteSize),
  });
  try {
    for (const warning of warnings) roomLogger("config").warn("{warning}", { warning });
    const attach = attachedDashboard(config, http);
    return await runProxy({ config, listen, http, workers, attach });
  } finally {
    stopLog();
  }
}

/** A number of CPUs, or nothing for as many as make sense here. */
function parseCpuCount(text: string): number {
  if (text === "") return defaultWorkers();
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > CPUS_MAX) {
    throw new SyntaxError(`"${text}" is not a number of CPUs from 1 to ${CPUS_MAX}`);
  }
  return count;
}
