/**
 * Prometheus's own checker.
 *
 * @module
 */

/** What a call of promtool has said, and whether it was content. */
export interface Verdict {
  readonly isGood: boolean;
  readonly text: string;
}

/** Calls promtool; `deploy/setup.sh promtool` brings it. */
export async function promtool(args: readonly string[], input = ""): Promise<Verdict> {
  const child = new Deno.Command("promtool", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { isGood: success, text: decoder.decode(stderr) + decoder.decode(stdout) };
}

/** Checks what a `/metrics` answered; empty when nothing is wrong. */
export async function checkMetrics(text: string): Promise<string> {
  const { isGood, text: said } = await promtool(["check", "metrics"], text);
  return isGood ? said.trim() : `promtool: ${said}`;
}
