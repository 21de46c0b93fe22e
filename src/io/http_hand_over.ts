/**
 * `Deno.serve` for one connection of ours, out of reach of all others.
 *
 *     folder that only we may enter: made ─► socket in it: served ─► connected ─► both removed
 *
 * A socket that listens takes connections, and with them descriptors, from all who find it: on a port of
 * 127.0.0.1 from every process of this machine. So each connection has a socket of its own, in the file system, that is
 * there for no longer than it takes to connect; and by it the server knows whose requests it answers.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import { ownFolders, removeIfThere } from "../base/own_folders.ts";
import { hangUp } from "./dial.ts";

/** Longest path of a socket that every system takes, in bytes. */
const SOCKET_PATH_MAX = 100;

const log = logger("http");

/** What answers the requests of the one connection. */
export type HandOverHandler = (
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.UnixAddr>,
) => Response | Promise<Response>;

/** One end of a connection, whose other end `Deno.serve` has. */
export interface HandOver {
  readonly socket: Deno.UnixConn;
  /** Ends the connection behind the answers that are being given. */
  finish(): void;
}

/**
 * Connects to a `Deno.serve` that takes no other connection. It ends with the connection.
 *
 * @throws {Error} When there are no descriptors, or a socket can be made nowhere.
 */
export async function handOver(
  handler: HandOverHandler,
  onError: (error: unknown) => Response,
): Promise<HandOver> {
  const place = makePlace();
  let server: Deno.HttpServer<Deno.UnixAddr> | undefined;
  try {
    server = Deno.serve({ path: place.path, onListen() {}, onError }, handler);
    const socket = await Deno.connect({ transport: "unix", path: place.path });
    const { finished } = server;
    const finish = () => void server!.shutdown().catch(() => {});
    finished.catch((error) => {
      // It could not accept, as there are no descriptors: all others are answered.
      log.debug("connection not served: {error}", { error });
      hangUp(socket);
    });
    return { socket, finish };
  } catch (error) {
    server?.finished.catch(() => {});
    server?.shutdown().catch(() => {});
    throw error;
  } finally {
    place.remove();
  }
}

/** Where a socket can be made. */
interface Place {
  readonly path: string;
  remove(): void;
}

function makePlace(): Place {
  for (const dir of ownFolders()) {
    try {
      const folder = Deno.makeTempDirSync({ dir, prefix: "codis-proxy-" }); // for us only
      const path = `${folder}/s`;
      // Needs no descriptor, unlike a removal of all that is in a folder.
      const remove = () => [path, folder].forEach(removeIfThere);
      if (new TextEncoder().encode(path).length <= SOCKET_PATH_MAX) return { path, remove };
      remove();
    } catch (error) {
      log.debug("socket not made in {dir}: {error}", { dir, error });
    }
  }
  // Nothing can be written: one without a file, which others might connect to, is better than none.
  return { path: `\0codis-proxy-${crypto.randomUUID()}`, remove() {} };
}
