/**
 * How a product is, as the dashboard that leads has last written it for the dashboards of other products.
 *
 * @module
 */

import { decodeRecord, integer, recordOf, text } from "./record.ts";

/** What `dashboard_status` holds. Figures only: whoever sees another product sees no name or address in it. */
export interface ProductStatus {
  /** When it was written, Unix milliseconds. */
  readonly at: number;
  /** Where browsers reach the dashboard, without a slash at the end. */
  readonly url: string;
  readonly version: string;
  readonly requests_per_second: number;
  readonly clients: number;
  readonly proxies: number;
  readonly proxies_online: number;
  readonly groups: number;
  readonly servers: number;
  readonly servers_up: number;
  /** Slots that are served, of 1024. */
  readonly slots_served: number;
  /** Slots that wait to be moved, or are. */
  readonly slots_moving: number;
  /** Of the masters. */
  readonly memory_bytes: number;
  /** What is out now. */
  readonly errors: number;
  readonly warnings: number;
}

const PRODUCT_STATUS_SHAPE = recordOf<ProductStatus>({
  at: integer,
  url: text,
  version: text,
  requests_per_second: integer,
  clients: integer,
  proxies: integer,
  proxies_online: integer,
  groups: integer,
  servers: integer,
  servers_up: integer,
  slots_served: integer,
  slots_moving: integer,
  memory_bytes: integer,
  errors: integer,
  warnings: integer,
});

/**
 * Reads a status from its JSON.
 *
 * @throws {RecordError} When it is none.
 */
export function decodeProductStatus(json: string): ProductStatus {
  return decodeRecord(PRODUCT_STATUS_SHAPE, json, "dashboard_status");
}

/** Writes a status as JSON. */
export function encodeProductStatus(status: ProductStatus): string {
  return JSON.stringify(PRODUCT_STATUS_SHAPE.write(status));
}
