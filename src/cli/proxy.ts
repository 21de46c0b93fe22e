/**
 * The command `proxy`: the flags of Codis 2.0's codis-proxy.
 *
 * @module
 */

import { type Address, parseListenAddress } from "../base/address.ts";
import { formatByteSize, parseByteSize } from "../base/byte_size.ts";
import { logEnd, stopLog } from "../base/log.ts";
import { ConfigError } from "../config/error.ts";
import { type FlagValues, readFlag, type Subcommand } from "./parts/subcommand.ts";
import { attachedDashboard } from "./parts/attached_dashboard.ts";
import { filesOfNextStart } from "./parts/config_files.ts";
import { askOverTls, httpIdentity, warnOfForeignCertificate } from "./parts/product_tls.ts";
import { identifier, tlsToServers } from "./parts/redis_servers.ts";
import { startConfigured } from "./parts/running_config.ts";
import {
  addressFlags,
  CONFIG_FILE,
  LOG_FILE,
  LOG_FILE_BYTES_MIN,
  PLACE_FLAGS,
  SERVING_LOG_LEVEL,
} from "./parts/flags.ts";

/** Largest value of `--cpu`. */
const CPUS_MAX = 64;
/** Most workers that are started when no number is given. */
const CPUS_DEFAULT_MAX = 8;

/** See the header. */
export const proxyCommand: Subcommand = {
  name: "proxy",
  summary: "Serve Redis clients.",
  flags: [
    CONFIG_FILE,
    LOG_FILE,
    SERVING_LOG_LEVEL,
    {
      name: "log-filesize",
      value: "size",
      default: "",
      help: "start a new log file at this size; without this flag: log_max_size",
    },
    {
      name: "cpu",
      value: "number",
      default: "",
      help: "number of CPUs to use, one worker each; without this flag: all CPUs, at most 8",
    },
    ...addressFlags(":9000", ":9001"),
    ...PLACE_FLAGS,
    {
      name: "take-over",
      value: "",
      default: "",
      help:
        "take over the ports and the clients of the process with the same proxy_id, which then ends; if there " +
        "is none, start as usual",
    },
  ],
  run: runProxyCommand,
};

async function runProxyCommand(values: FlagValues): Promise<number> {
  const listen = readFlag(values, "addr", parseClientAddress);
  const http = readFlag(values, "http-addr", parseListenAddress);
  const workers = readFlag(values, "cpu", parseCpuCount);
  readFlag(values, "log-filesize", parseLogFileSize);
  const running = await startConfigured(values, "proxy");
  const { config } = running;
  try {
    if (listen === undefined && config.tlsAddr === undefined) {
      throw new ConfigError("--addr=off needs tls_addr: otherwise no client can connect");
    }
    await askOverTls(config);
    const [serverTls, httpTls] = [await tlsToServers(config), await httpIdentity(config)];
    await warnOfForeignCertificate(config);
    // Other commands need not wait until all of it is loaded.
    const { runProxy } = await import("../proxy/run_proxy.ts");
    const attach = await attachedDashboard(config, serverTls, running);
    running.use(filesOfNextStart(true));
    const identify = identifier(config);
    const parts = { identify, attach, serverTls, httpTls };
    const takeOver = values["take-over"] === "on";
    return await runProxy({ config, running, listen, http, workers, takeOver, ...parts });
  } catch (error) {
    const placed = running.placed(error);
    logEnd(placed);
    throw placed;
  } finally {
    stopLog();
  }
}

/** Reads `--addr`; `undefined` for `off`. */
function parseClientAddress(text: string): Address | undefined {
  return text === "off" ? undefined : parseListenAddress(text);
}

function parseLogFileSize(text: string): number {
  if (text === "") return 0;
  const bytes = parseByteSize(text);
  if (bytes >= LOG_FILE_BYTES_MIN) return bytes;
  throw new SyntaxError(`"${text}" is below ${formatByteSize(LOG_FILE_BYTES_MIN)}`);
}

/** Reads a number of CPUs; `""` means the default for this machine. */
function parseCpuCount(text: string): number {
  if (text === "") return Math.min(CPUS_DEFAULT_MAX, navigator.hardwareConcurrency);
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > CPUS_MAX) {
    throw new SyntaxError(`"${text}" is not a number of CPUs from 1 to ${CPUS_MAX}`);
  }
  return count;
}
