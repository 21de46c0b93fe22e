/**
 * HTTPS as the config says: for what this process serves, and for what it asks others.
 *
 * @module
 */

import { useHttps } from "../../api/product_http.ts";
import { KeyError } from "../../base/key_error.ts";
import { logger } from "../../base/log.ts";
import type { Config } from "../../config/config.ts";
import type { ConfigEntries } from "../../config/load.ts";
import { httpAuthorityFiles, httpTlsFiles, speaksHttps } from "../../config/tls.ts";
import type { TlsIdentity } from "../../io/tls.ts";
import { isSignedBy, readTlsFiles } from "../../io/tls_files.ts";

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
 * What is wrong where the other processes of the product would refuse the certificate that this one serves HTTP with;
 * `undefined`: nothing, or none of the two files is named.
 *
 * @throws {KeyError} When one of the files cannot be used.
 */
export async function foreignCertificate(config: Config): Promise<KeyError | undefined> {
  const files = httpTlsFiles(config);
  const authority = httpAuthorityFiles(config);
  if (files === undefined || authority.ca.path === "") return undefined;
  const [{ cert }, { ca }] = [await readTlsFiles(files), await readTlsFiles(authority)];
  if (isSignedBy(cert, ca)) return undefined;
  return new KeyError(
    files.cert.key,
    files.cert.path,
    `the certificate is not signed by an authority of ${authority.ca.key} = "${authority.ca.path}": ` +
      "the other processes of the product will refuse it",
  );
}

/** The fault that this process has logged and still has; `""`: none. */
let logged = "";

/**
 * Reads which certificate this process serves HTTP with.
 *
 * @returns What logs {@linkcode foreignCertificate}, if there is such a fault: once, as long as it stays.
 * @throws {KeyError} When one of the files cannot be used.
 */
export async function prepareWarning(config: Config): Promise<() => void> {
  const fault = (await foreignCertificate(config))?.message ?? "";
  return () => {
    if (fault !== "" && fault !== logged) logger("tls").warn("{fault}", { fault });
    logged = fault;
  };
}

/** The same, and does so. */
export async function warnOfForeignCertificate(config: Config): Promise<void> {
  (await prepareWarning(config))();
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
