/**
 * What a proxy is started with.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { Config } from "../config/config.ts";

/** The configuration and the addresses of the command line. */
export interface ProxyStart {
  readonly config: Config;
  /** Where Redis clients connect; an empty host means every interface, port 0 any free port. */
  readonly listen: Address;
  /** Where the HTTP endpoint listens; as `listen`. */
  readonly http: Address;
}
