/**
 * HTTPS as the config says: for what this process serves, and for what it asks others.
 *
 * @module
 */

import { useHttps } from "../../api/product_http.ts";
import type { Config } from "../../config/config.ts";
import type { ConfigEntries } from "../../config/load.ts";
import { httpAuthorityFiles, httpTlsFiles, speaksHttps } from "../../config/tls.ts";
import type { TlsIdentity } from "../../io/tls.ts";
import { readTlsFiles } from "../../io/tls_files.ts";

/**
 * Has this process ask the others of its product over https, where they speak it.
 *
 * @param entries Where the config is from, for errors. @default the caller adds that
 * @throws {KeyError | ConfigError} When the file of the authority cannot be used.
 */
export async function askOverTls(config: Config, entries?: ConfigEntries): Promise<void> {
  try {
    (await prepareHttps(config))();
  } catch (error) {
    throw entries?.placed(error) ?? error;
  }
}

/**
 * Reads which authority this process trusts when it asks the others of its product.
 *
 * @returns What has it do so.
 * @throws {KeyError} When the file of the authority cannot be used.
 */
export async function prepareHttps(config: Config): Promise<() => void> {
  if (!speaksHttps(config)) return () => {};
  const { ca } = await readTlsFiles(httpAuthorityFiles(config));
  return () => useHttps(ca);
}

/**
 * The certificate that HTTP is served with; `undefined`: it is without TLS.
 *
 * @throws {KeyError} When its files cannot be used.
 */
export async function httpIdentity(config: Config): Promise<TlsIdentity | undefined> {
  const files = httpTlsFiles(config);
  return files && await readTlsFiles(files);
}
