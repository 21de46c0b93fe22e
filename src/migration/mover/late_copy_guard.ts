/**
 * Late-copy guard: closes connections over which moves that were given up could still bring keys.
 *
 *      MIGRATE given up ─► its copy may be in a socket ─► the target's connections that may bring it close
 *      dashboard dead, or hung ─► its connection to the source may still send MIGRATE ─► it closes
 *
 * Proxies guard their own moves in the same way; router/backends/late_copies.ts explains why.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { formatAddress } from "../../base/address.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { RedisError, replyText } from "../../redis/reply.ts";
import { isRestoring, mayRestore, newestId, parseClientList } from "../../resp/client_list.ts";

/** The name of a dashboard's connections over which keys are moved. */
export const MOVER_NAME = "codis-mover";

/** Wait before the connections are listed again, in milliseconds. */
const LIST_MS = 50;
/** Lists in a row without such a connection: the second has all that connected before the first. */
const CLEAN_LISTS = 2;
/** Lists before we give up: connections do not close, or do not say what they are for. */
const LISTS_MAX = 100;
/** Seconds that a new connection has to send a command that says what it is for. */
const GREETING_SECONDS = 1;

/**
 * Closes the connections to a server over which late copies may come. We must send no keys there
 * meanwhile; see `MoveLock`. Connections that others open meanwhile bring no late copies, and stay.
 *
 * @param mayHaveLateCopies Whether a move may have been given up: then connections that have sent no keys
 * yet are closed as well, some of which may be idle connections of proxies.
 * @throws {RedisError} When the server does not allow it.
 * @throws {RedisUnreachableError}
 */
export async function endRestores(
  redis: RedisConnection,
  mayHaveLateCopies: boolean,
): Promise<void> {
  let lastId = Infinity;
  for (let lists = 0, clean = 0; clean < CLEAN_LISTS; lists++) {
    if (lists === LISTS_MAX) {
      throw new Error(
        `${
          formatAddress(redis.address)
        }: connections that may bring late copies of keys do not close, after ${lists} tries to close them`,
      );
    }
    const lines = parseClientList(replyText(await redis.call("CLIENT", "LIST")));
    if (lists === CLEAN_LISTS - 1) lastId = newestId(lines);
    const doubtful = lines.filter((line) =>
      line.id <= lastId && (isRestoring(line) || (mayHaveLateCopies && mayRestore(line)))
    );
    clean = doubtful.length === 0 ? clean + 1 : 0;
    if (doubtful.length === 0) continue;
    const ending = doubtful.filter((line) =>
      isRestoring(line) || line.ageSeconds >= GREETING_SECONDS
    );
    await killAll(redis, ending.map(({ id }) => id));
    if (ending.length < doubtful.length) {
      await delay(LIST_MS);
    }
  }
}

/**
 * Names a connection as a mover's, and closes all others of that name: a source has one mover.
 *
 * @throws {RedisError} When the server does not allow it.
 * @throws {RedisUnreachableError}
 */
export async function becomeOnlyMover(redis: RedisConnection): Promise<void> {
  const list = parseClientList(replyText(await redis.call("CLIENT", "LIST")));
  await killAll(redis, list.filter(({ name }) => name === MOVER_NAME).map(({ id }) => id));
  await redis.call("CLIENT", "SETNAME", MOVER_NAME);
}

async function killAll(redis: RedisConnection, ids: readonly number[]): Promise<void> {
  const answers = await redis.pipeline(ids.map((id) => ["CLIENT", "KILL", "ID", id]));
  const refusal = answers.find((answer) =>
    answer instanceof RedisError && !/no such client/i.test(answer.message)
  );
  if (refusal !== undefined) throw refusal;
}
