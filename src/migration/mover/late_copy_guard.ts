/**
 * What the dashboard does against moves that outlive their time: copies that arrive late at a target,
 * and movers that nobody leads any more.
 *
 *      MIGRATE given up ─► its copy may lie in a socket ─► the target's connections that may bring it end
 *      dashboard gone, or paused ─► its connection to the source may still say MIGRATE ─► it ends
 *
 * Proxies guard their own moves in the same way (router/backends/late_copies.ts); why, is told there.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { formatAddress } from "../../base/address.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { RedisError, replyText } from "../../redis/reply.ts";
import { isRestoring, mayRestore, newestId, parseClientList } from "../../resp/client_list.ts";

/** The name of the connections over which a dashboard has keys moved. */
export const MOVER_NAME = "codis-mover";

/** Pause before another look, in milliseconds. */
const LOOK_MS = 50;
/** Looks that must find nothing: whatever connected before the first is listed in the second. */
const CLEAN_LOOKS = 2;
/** Looks before we give up: connections do not end, or do not say what they are for. */
const LOOKS_MAX = 100;
/** Seconds that a connection has to say what it is for. */
const GREETING_SECONDS = 1;

/**
 * Ends the connections to a server over which keys may still come. Nothing of our own may be on its
 * way there meanwhile; see {@linkcode MoveLock}. Connections that others open meanwhile bring nothing
 * that is late, and are let be.
 *
 * @param isInDoubt Whether a move may have been given up: then connections that have only greeted are
 * ended as well, of which some may be a proxy's that does nothing at the moment.
 * @throws {RedisError} When the server does not allow it.
 * @throws {RedisUnreachableError}
 */
export async function endRestores(redis: RedisConnection, isInDoubt: boolean): Promise<void> {
  let lastId = Infinity;
  for (let look = 0, clean = 0; clean < CLEAN_LOOKS; look++) {
    if (look === LOOKS_MAX) {
      throw new Error(
        `${
          formatAddress(redis.address)
        }: connections that may bring keys do not end, after ${look} tries to end them`,
      );
    }
    const lines = parseClientList(replyText(await redis.call("CLIENT", "LIST")));
    if (look === CLEAN_LOOKS - 1) lastId = newestId(lines);
    const doubtful = lines.filter((line) =>
      line.id <= lastId && (isRestoring(line) || (isInDoubt && mayRestore(line)))
    );
    clean = doubtful.length === 0 ? clean + 1 : 0;
    if (doubtful.length === 0) continue;
    const ending = doubtful.filter((line) =>
      isRestoring(line) || line.ageSeconds >= GREETING_SECONDS
    );
    await killAll(redis, ending.map(({ id }) => id));
    if (ending.length < doubtful.length) {
      await delay(LOOK_MS);
    }
  }
}

/**
 * Names a connection as a mover's, and ends all others of that name: there is one mover per source, and
 * it is we.
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
