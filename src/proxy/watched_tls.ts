/**
 * The certificates of a process that serves: read again when their files change, and when the configuration does.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { ConfiguredPart } from "../config/running.ts";
import type { TlsIdentity } from "../io/tls.ts";
import { readTlsFiles, type TlsFiles, TlsWatch } from "../io/tls_files.ts";

/** Where TLS is spoken: to clients, to servers, for HTTP. */
export interface TlsSide {
  /** Undefined: TLS is not spoken there, which does not change while the process runs. */
  filesOf(config: Config): TlsFiles | undefined;
  /** What the files held at the start. */
  readonly first: TlsIdentity | undefined;
  /** The key by which the same certificates are used in another way, if there is one. */
  readonly key?: string;
  /** Uses others from now on; what else the settings say of it is looked up then. */
  renew(identity: TlsIdentity): void;
}

/** See the header. Disposing ends its watches. */
export class WatchedTls implements ConfiguredPart, Disposable {
  readonly #sides: readonly { readonly side: TlsSide; readonly watch: TlsWatch }[];

  constructor(config: Config, sides: readonly TlsSide[]) {
    this.#sides = sides.flatMap((side) => {
      const files = side.filesOf(config);
      if (files === undefined || side.first === undefined) return [];
      return [{ side, watch: new TlsWatch(files, side.first, side.renew) }];
    });
  }

  async prepare(
    next: Config,
    changed: ReadonlySet<string>,
    isReload: boolean,
  ): Promise<() => void> {
    const meant = this.#sides.map(({ side, watch }) => {
      const files = side.filesOf(next)!;
      return { watch, files, key: side.key ?? "" };
    }).filter(({ files: { cert, key, ca }, key: own }) =>
      isReload || [cert.key, key.key, ca.key, own].some((each) => changed.has(each))
    );
    const read = await Promise.all(
      meant.map(async (each) => ({ ...each, identity: await readTlsFiles(each.files) })),
    );
    return () => {
      for (const { watch, files, identity, key } of read) {
        watch.take(files, identity, changed.has(key));
      }
    };
  }

  [Symbol.dispose](): void {
    for (const { watch } of this.#sides) watch[Symbol.dispose]();
  }
}
