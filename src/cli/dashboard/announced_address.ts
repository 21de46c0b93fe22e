/**
 * The address of a dashboard in the store: as in Codis 2.0, the one in the config; but where `--addr` names another
 * one, as it must for two dashboards with one config file, that one.
 *
 * @module
 */

import { type Address, isLoopback } from "../../base/address.ts";
import type { Config } from "../../config/config.ts";
import { speaksHttps } from "../../config/tls.ts";
import { LOOPBACK } from "../../io/listen.ts";

/**
 * Where others reach a dashboard that listens at `asked`.
 *
 * @param asked The value of `--addr`.
 */
export function announcedAddress(asked: Address, config: Config): Address {
  const given = config.dashboardAddr;
  const isAnywhere = ["", "0.0.0.0", "::"].includes(asked.hostname);
  const { port } = asked;
  if (given === undefined) {
    const isOpen = isAnywhere && (asked.hostname !== "" || config.dashboardToken.isSet);
    return {
      hostname: isOpen ? Deno.hostname() : asked.hostname || LOOPBACK[config.proto][0]!,
      port,
    };
  }
  if (port === 0) return given;
  const isGivenHere = isLoopback(given.hostname);
  // A load balancer may stand before it, or a container's port.
  if (isAnywhere) return isGivenHere ? { hostname: given.hostname, port } : given;
  const isAskedHere = isLoopback(asked.hostname);
  if (isAskedHere && !isGivenHere) return given;
  const isSame = asked.hostname === given.hostname ||
    (isAskedHere && given.hostname === "localhost");
  if (isSame) return { hostname: given.hostname, port };
  // The certificate names the host of dashboard_addr.
  return speaksHttps(config) ? given : asked;
}
