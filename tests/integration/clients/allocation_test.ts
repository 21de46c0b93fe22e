/**
 * Guards what one request costs: memory allocated, which unlike time is the same on every machine.
 *
 * The heap's young part is made so large that nothing is collected while it is measured, so what the
 * heap grows by is what was allocated. One client and one server: every batch is one read and one write
 * on either side.
 *
 * Runs alone: on a busy machine a batch comes in two reads, which allocate more.
 *
 * @module
 */

import { assert } from "@std/assert";
import { RequestParser } from "../../../src/resp/request_parser.ts";
import { ReplyFramer } from "../../../src/resp/reply_framer.ts";
import { latin1 } from "../../support/pieces.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

/**
 * Bytes that a GET allocated when this was written, by read mode and length of the pipeline. On a busy
 * machine a pipeline may come in two reads, which is why the least of some rounds counts.
 */
const GET_BYTES = { byob: { 1: 1_250, 64: 66 }, direct: { 1: 880, 64: 17 } } as const;
/** How much more is noticed. */
const TOLERANCE = 1.1;
/** How much less is taken for a measurement that has failed; as V8 compiles it, a long pipeline takes 23 or 66 bytes. */
const LESS = 5;
/**
 * Requests that are measured: what they allocate fits the young part of the heap, and what the process does
 * beside them, such as answering where its memory is asked for, is little for each of them.
 */
const REQUESTS = { 1: 3_000, 64: 200_000 } as const;
const WARM_UP = 10_000;
const ROUNDS = 6;
/** The young part of the heap, in megabytes. */
const YOUNG = "--v8-flags=--min-semi-space-size=256,--max-semi-space-size=256";

/** Lets one client send GETs. */
async function sendGets(port: number, pipeline: number, requests: number): Promise<void> {
  const { success, stderr } = await new Deno.Command("redis-benchmark", {
    args: ["-p", `${port}`, "-t", "get", "-c", "1", "-P", `${pipeline}`, "-n", `${requests}`, "-q"],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

async function heapBytes(proxy: ProxyProcess): Promise<number> {
  const { memstats } = await (await fetch(proxy.url("/debug/vars"))).json();
  return memstats.HeapAlloc;
}

/**
 * Bytes that one GET allocates: the least of a few rounds, which nothing else has disturbed; or the first that is
 * little enough, as then the least is, too.
 */
async function bytesPerGet(
  proxy: ProxyProcess,
  pipeline: 1 | 64,
  isLittle: (bytes: number) => boolean,
): Promise<number> {
  await sendGets(proxy.port, pipeline, WARM_UP);
  const requests = REQUESTS[pipeline];
  const found: number[] = [];
  for (let round = 0; found.length < ROUNDS && round < 3 * ROUNDS; round++) {
    const before = await heapBytes(proxy);
    await sendGets(proxy.port, pipeline, requests);
    const bytes = (await heapBytes(proxy) - before) / requests;
    // Less than nothing: it was collected on the way.
    if (bytes > 0) found.push(bytes);
    if (bytes > 0 && isLittle(bytes)) break;
  }
  return Math.min(...found);
}

for (const mode of ["byob", "direct"] as const) {
  Deno.test({
    name: `a GET allocates no more than it did, with read_mode = ${mode}`,
    // The heap of a built file is its own.
    ignore: Deno.env.has("CODIS_PROXY_BIN"),
    fn: () => guard(mode),
  });
}

async function guard(mode: keyof typeof GET_BYTES): Promise<void> {
  await using server = await RedisServer.start();
  for (const pipeline of [1, 64] as const) {
    await using proxy = await ProxyProcess.start({
      servers: [server],
      // Hot keys cost so much a second, not a request: hot_key_samples, of about 64 bytes each.
      config: { read_mode: mode, hot_key_samples: "0" },
      flags: [YOUNG],
    });
    const before = GET_BYTES[mode][pipeline];
    const isLittle = (bytes: number) => bytes < before * TOLERANCE;
    const bytes = await bytesPerGet(proxy, pipeline, isLittle);
    console.log(`${mode}, pipeline ${pipeline}: ${bytes.toFixed(0)} bytes, ${before} before`);
    assert(isLittle(bytes), `${bytes.toFixed(0)} bytes per GET instead of ${before}`);
    assert(bytes > before / LESS, `only ${bytes.toFixed(0)} bytes per GET: is it measured at all?`);
  }
}

/** Bytes that a piece of work allocates each time: the most of a few rounds. */
function bytesPer(count: number, work: () => void): number {
  const round = () => {
    const before = Deno.memoryUsage().heapUsed;
    for (let i = 0; i < count; i++) work();
    return (Deno.memoryUsage().heapUsed - before) / count;
  };
  for (let i = 0; i < 3; i++) round(); // until it is compiled for good
  return Math.max(round(), round(), round(), round(), round());
}

Deno.test("finding a request, or the end of a reply, allocates nothing", () => {
  const request = latin1("*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$5\r\nvalue\r\n");
  const parser = new RequestParser();
  const parse = () => {
    assert(parser.parse(request, 0, request.length) === "request" && parser.count === 3);
    parser.next();
  };
  const reply = latin1("*2\r\n$5\r\nvalue\r\n:12\r\n");
  const framer = new ReplyFramer();
  const frame = () => {
    assert(framer.feed(reply, 0, reply.length) === reply.length && framer.isDone);
    framer.reset();
  };
  const parsed = bytesPer(50_000, parse);
  const framed = bytesPer(50_000, frame);
  console.log(`request ${parsed.toFixed(2)}, reply ${framed.toFixed(2)} bytes`);
  assert(parsed < 1, `${parsed.toFixed(1)} bytes per request`);
  assert(framed < 1, `${framed.toFixed(1)} bytes per reply`);
});
