/**
 * The program: its command line in, its exit code out.
 *
 * @module
 */

import process from "node:process";
import { commandLine, runCli } from "./src/cli/cli.ts";

if (import.meta.main) {
  const args = commandLine(process.argv0, Deno.args);
  // A compiled file has all the rights of its commands, and only these start a program: redis-server.
  if (args[0] !== "demo" && args[0] !== "import") await Deno.permissions.revoke({ name: "run" });
  // And this flag only needs the C library; see src/io/port_steering.ts.
  if (!args.includes("--take-over")) await Deno.permissions.revoke({ name: "ffi" });
  Deno.exit(await runCli(args));
}
