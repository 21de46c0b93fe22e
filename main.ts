/**
 * The program: its command line in, its exit code out.
 *
 * @module
 */

import { runCli } from "./src/cli/cli.ts";

if (import.meta.main) Deno.exit(await runCli(Deno.args));
