/**
 * A process that has opened all files it may and accepts clients by the handle: it tells each whether it was
 * taken. SIGUSR1 lets it close ten of the files.
 *
 *     deno run --allow-net --allow-read tests/support/accepting_process.ts PORT
 *
 * @module
 */

import { Acceptor } from "../../src/io/acceptor.ts";
import { listenByHandle } from "../../src/io/handle_listener.ts";

const encoder = new TextEncoder();
const listener = listenByHandle({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  tcpBacklog: 128,
});
if (listener === undefined) throw new Error("this Deno has no handle as it is known");
const acceptor = new Acceptor(listener, {
  take: (connection) => void connection.write(encoder.encode("taken")),
  refuse: async (connection) => void await connection.write(encoder.encode("refused")),
  onFailure: () => {},
});
acceptor.run();
const files: Deno.FsFile[] = [];
Deno.addSignalListener("SIGUSR1", () => {
  for (const file of files.splice(0, 10)) file.close();
  console.log("free");
});
try {
  for (;;) files.push(Deno.openSync("/dev/null"));
} catch {
  console.log("full");
}
