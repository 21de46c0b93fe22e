/**
 * The route of the products: all that share this coordinator, as their dashboards have told it.
 *
 * @module
 */

import { productUrl } from "../../api/product_http.ts";
import type { ProductsAnswer, ProductView } from "../../api/products_view.ts";
import { loadProducts, type StoredProduct } from "../../store/products.ts";
import { type ApiRoute, type Call, read } from "./route.ts";

/** From when on a status that was not written again says nothing any more, in milliseconds. */
const STALE_MS = 180_000;

/** See the header. */
export const PRODUCT_ROUTES: readonly ApiRoute[] = [read("/api/products", products)];

async function products({ dashboard: { store } }: Call): Promise<ProductsAnswer> {
  const { total, products } = await loadProducts(store.coordinator);
  const now = Date.now();
  return { total, products: products.map((product) => viewOf(product, store.product, now)) };
}

function viewOf(product: StoredProduct, own: string, now: number): ProductView {
  const { name, leader, status } = product;
  const url = status?.url ?? (leader === "" ? "" : productUrl(leader));
  return {
    ...{ name, is_own: name === own, leader },
    // Whoever can write there is trusted, but a page must never be made to run a link.
    page: /^https?:\/\/[^/]/.test(url) ? `${url}/admin` : "",
    problem: problemOf(product, now),
    status: status ?? null,
  };
}

function problemOf({ leader, status, problem }: StoredProduct, now: number): string {
  if (problem !== "") return `it cannot be read: ${problem}`;
  if (leader === "") return "no dashboard leads";
  if (status === undefined) {
    return "its dashboard does not tell: it is an older one, or Codis 2.0's";
  }
  const silentMs = now - status.at;
  return silentMs < STALE_MS
    ? ""
    : `its dashboard has told nothing for ${Math.round(silentMs / 60_000)} min`;
}
