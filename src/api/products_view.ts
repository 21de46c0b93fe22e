/**
 * What `GET /api/products` answers: every product of the coordinator.
 *
 * @module
 */

import type { ProductStatus } from "../model/product_status.ts";

/** See the header. */
export interface ProductsAnswer {
  /** How many there are; of very many, the first are shown. */
  readonly total: number;
  /** By name. */
  readonly products: readonly ProductView[];
}

/** One product. */
export interface ProductView {
  readonly name: string;
  /** Whether it is the one that this dashboard is of. */
  readonly is_own: boolean;
  /** The dashboard that leads, `host:port`; empty: none does. */
  readonly leader: string;
  /** Where its page is; empty: not known. */
  readonly page: string;
  /** What keeps it from being known how it is; empty: nothing. */
  readonly problem: string;
  /** How it is, as its dashboard has last said; null: not known. */
  readonly status: ProductStatus | null;
}
