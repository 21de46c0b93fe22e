/**
 * What Deno itself can do: answers all that it reads as if it were a GET of no key.
 *
 *     deno run --allow-net --unstable-net tests/bench/connect/echo.ts PORT LISTENERS
 *
 * @module
 */

const REPLY = new TextEncoder().encode("$-1\r\n");
const BACKLOG = 4_096;

async function serve(connection: Deno.Conn): Promise<void> {
  const bytes = new Uint8Array(4_096);
  try {
    while (await connection.read(bytes) !== null) await connection.write(REPLY);
  } finally {
    connection.close();
  }
}

async function run(listener: Deno.TcpListener): Promise<void> {
  for (;;) serve(await listener.accept()).catch(() => {});
}

const [port, listeners] = Deno.args.map(Number);
for (let i = 0; i < listeners!; i++) {
  const options = { hostname: "127.0.0.1", port: port!, reusePort: true, tcpBacklog: BACKLOG };
  run(Deno.listen(options));
}
console.log("ready");
