/**
 * CONFIG GET: the proxy's own configuration.
 *
 * @module
 */

import { Encoder } from "../../resp/encoder.ts";
import { argumentWord, globPattern, type LocalCall } from "./local_call.ts";

/** `CONFIG GET pattern [pattern …]`. */
export function configGet({ client, args }: LocalCall): Uint8Array {
  const patterns: RegExp[] = [];
  for (let i = 1; i < args.count; i++) patterns.push(globPattern(argumentWord(args, i)));
  const found = client.shared.options.shownConfig.filter(([key]) =>
    patterns.some((pattern) => pattern.test(key))
  );
  const out = new Encoder(client.protocol).map(found.length);
  for (const [key, value] of found) out.bulk(key).bulk(value);
  return out.done();
}
