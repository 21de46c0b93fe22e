/**
 * One run of redis-benchmark: SET and then GET, GET alone, or MGET, of random keys.
 *
 * @module
 */

/** One cell of the table: how the load looks. */
export interface Load {
  readonly clients: number;
  /** Requests that a client has under way. */
  readonly pipeline: number;
  readonly valueBytes: number;
  /** Keys of one request: with 0 it is SETs and GETs, else MGETs of so many. */
  readonly keys: number;
  /** Without SETs. */
  readonly onlyReads?: boolean;
}

/** What redis-benchmark saw; SET and GET are taken together. */
export interface Outcome {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Latencies in ms; the mean of SET and GET, of the maximum the worse one. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Keys are drawn from this many, so that both servers and all slots take part. */
const KEY_COUNT_MAX = 100_000;
/** Bytes of all values together at most: of large ones there are fewer keys. */
const VALUES_BYTES_MAX = 1024 ** 3;

function keyCount(valueBytes: number): number {
  return Math.min(KEY_COUNT_MAX, Math.ceil(VALUES_BYTES_MAX / valueBytes));
}

/**
 * Runs redis-benchmark against a port of 127.0.0.1.
 *
 * @param requests How many SETs, and then how many GETs.
 * @throws {Error} When redis-benchmark fails, as it does when the server answers with errors.
 */
export async function runBenchmark(port: number, load: Load, requests: number): Promise<Outcome> {
  const what = load.keys === 0
    ? ["-t", load.onlyReads ? "get" : "set,get"]
    : ["mget", ...Array.from({ length: load.keys }, () => "key:__rand_int__")];
  const { success, stdout, stderr } = await new Deno.Command("redis-benchmark", {
    args: [
      ...["-h", "127.0.0.1", "-p", `${port}`, "--csv"],
      ...["-n", `${requests}`, "-c", `${load.clients}`, "-P", `${load.pipeline}`],
      ...["-d", `${load.valueBytes}`, "-r", `${keyCount(load.valueBytes)}`, ...what],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95…","p99…","max…"
  const rows = text.split("\n").filter((line) => /^"(SET|GET|mget[^"]*)"/.test(line)).map((line) =>
    line.replace(/^"[^"]*"/, "0").split(",").map((cell) => Number(cell.replaceAll('"', "")))
  );
  if (!success || rows.length !== (load.keys === 0 && !load.onlyReads ? 2 : 1)) {
    throw new Error(`redis-benchmark: ${text}${new TextDecoder().decode(stderr)}`);
  }
  const sum = (of: (row: number[]) => number) => rows.reduce((total, row) => total + of(row), 0);
  return {
    requests: requests * rows.length,
    requestsPerSecond: rows.length / sum((row) => 1 / row[1]!),
    p50Ms: sum((row) => row[4]!) / rows.length,
    p99Ms: sum((row) => row[6]!) / rows.length,
    maxMs: Math.max(...rows.map((row) => row[7]!)),
  };
}

/** Sets every key that is drawn, or nearly, so that MGETs find values. */
export async function fillKeys(port: number, valueBytes: number): Promise<void> {
  const load = { clients: 50, pipeline: 16, valueBytes, keys: 0 };
  await runBenchmark(port, load, 2 * keyCount(valueBytes));
}
