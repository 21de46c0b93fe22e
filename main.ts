/**
 * The program: its command line in, its exit code out.
 *
 * @module
 */

import process from "node:process";
import { commandLine, runCli } from "./src/cli/cli.ts";

if (import.meta.main) Deno.exit(await runCli(commandLine(process.argv0, Deno.args)));
