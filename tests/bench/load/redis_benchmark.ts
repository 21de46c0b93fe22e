/**
 * One run of redis-benchmark: SET and then GET, random keys.
 *
 * @module
 */

/** One cell of the table: how the load looks. */
export interface Load {
  readonly clients: number;
  /** Requests that a client has under way. */
  readonly pipeline: number;
  readonly valueBytes: number;
}

/** What redis-benchmark saw, SET and GET taken together. */
export interface Outcome {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Latencies in ms; the mean of SET and GET, of the maximum the worse one. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Keys are drawn from this many, so that both servers and all slots take part. */
const KEY_COUNT = 100_000;

/**
 * Runs redis-benchmark against a port of 127.0.0.1.
 *
 * @param requests How many SETs, and then how many GETs.
 * @throws {Error} When redis-benchmark fails, as it does when the server answers with errors.
 */
export async function runBenchmark(port: number, load: Load, requests: number): Promise<Outcome> {
  const { success, stdout, stderr } = await new Deno.Command("redis-benchmark", {
    args: [
      ...["-h", "127.0.0.1", "-p", `${port}`, "-t", "set,get", "--csv"],
      ...["-n", `${requests}`, "-c", `${load.clients}`, "-P", `${load.pipeline}`],
      ...["-d", `${load.valueBytes}`, "-r", `${KEY_COUNT}`],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95…","p99…","max…"
  const rows = text.split("\n").filter((line) => /^"(SET|GET)"/.test(line)).map((line) =>
    line.split(",").map((cell) => Number(cell.replaceAll('"', "")))
  );
  if (!success || rows.length !== 2) {
    throw new Error(`redis-benchmark: ${text}${new TextDecoder().decode(stderr)}`);
  }
  const mean = (column: number) => (rows[0]![column]! + rows[1]![column]!) / 2;
  return {
    requests: requests * 2,
    requestsPerSecond: 2 / (1 / rows[0]![1]! + 1 / rows[1]![1]!),
    p50Ms: mean(4),
    p99Ms: mean(6),
    maxMs: Math.max(rows[0]![7]!, rows[1]![7]!),
  };
}
