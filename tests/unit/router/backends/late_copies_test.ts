/**
 * What guards a server that a move may still bring keys to.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { deliver, type Request } from "../../../../src/router/request.ts";
import { LateCopyGuard } from "../../../../src/router/backends/late_copies.ts";
import { until } from "../../../support/deadline.ts";

/** A server that answers one question after the other, the last answer again and again. */
class Scripted {
  asked = 0;
  readonly #answers: readonly string[];

  constructor(answers: readonly string[]) {
    this.#answers = answers;
  }

  /** The guard of it. */
  guard(): LateCopyGuard {
    const begin = (request: Request) => {
      const answer = this.#answers[Math.min(this.asked++, this.#answers.length - 1)]!;
      const bytes = new TextEncoder().encode(answer);
      queueMicrotask(() => deliver(request, bytes, 0, bytes.length, true));
      return true;
    };
    const backend = { begin, append() {} };
    return new LateCopyGuard({ address: "h:1", moverBackend: () => backend });
  }
}

const NOBODY = "$0\r\n\r\n";

Deno.test("a busy server is asked again until it tells who is connected", async () => {
  const busy = "-BUSY Redis is busy running a script.\r\n";
  const loading = "-LOADING Redis is loading the dataset in memory\r\n";
  const server = new Scripted([busy, busy, loading, NOBODY]);
  const guard = server.guard();
  guard.suspect();
  let error: string | undefined;
  guard.whenClear((text) => error = text);
  await until(() => server.asked === 3);
  assert(guard.isActive);
  await until(() => error !== undefined);
  assertEquals(error, "");
  assertEquals(server.asked, 5, "nobody, twice");
  guard.stop();
});

Deno.test("where CLIENT is not allowed it is asked once for each move that failed", async () => {
  const server = new Scripted(["-NOPERM this user has no permissions to run the command\r\n"]);
  const guard = server.guard();
  guard.suspect();
  await until(() => server.asked === 1);
  await delay(150);
  assertEquals(server.asked, 1);
  assert(guard.isActive);
  guard.suspect();
  assertEquals(server.asked, 2, "the wait begins anew");
  await delay(10);
  guard.stop();
});
