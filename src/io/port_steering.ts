/**
 * Steers new connections of a shared port to this process, while another one stops listening there.
 *
 *     sockets of a port, oldest first:   [ old, old │ ours, ours ]
 *                                                     ▲
 *     SYN ──► "socket number 2" ──────────────────────┘       (a program of one instruction, in the kernel)
 *
 * The kernel resets connections that wait at a socket when it is closed, and those whose handshake is under
 * way. So the old process must get no new ones for a moment before it closes its sockets: a classic BPF
 * program at the port (SO_ATTACH_REUSEPORT_CBPF) says which socket gets them all. Deno cannot attach one,
 * the C library can; where it cannot be called, connections of the last moment may be reset, unless
 * net.ipv4.tcp_migrate_req is 1.
 *
 * @module
 */

import { logger } from "../base/log.ts";

// Linux's numbers.
const AF_INET = 2;
const AF_INET6 = 10;
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_DETACH_REUSEPORT_BPF = 68;
/** The instruction "return this number". */
const BPF_RET_K = 0x06;
/** A larger descriptor is not looked at. */
const DESCRIPTOR_MAX = 4_096;
/** A `struct sockaddr_in6`, the largest that is read, in bytes. */
const SOCKADDR_BYTES = 28;

const SYMBOLS = {
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
} as const;

type CLibrary = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const log = logger("proxy");

/** How many sockets the other process has at a port of ours. */
export interface SharedPort {
  readonly port: number;
  readonly oldSockets: number;
}

/**
 * Lets new connections of these ports come to this process only.
 *
 * @returns What ends that; to be called when the other process has closed its sockets.
 */
export function steerHere(ports: readonly SharedPort[]): () => void {
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch (error) {
    log.warn("new clients are not steered to this process, a few may be reset: {cause}", {
      cause: (error as Error).message,
    });
    return () => {};
  }
  const c = library.symbols;
  const sockets = listeningSockets(c);
  const steered: number[] = [];
  for (const { port, oldSockets } of ports) {
    // One for each address that has the port: the program belongs to all sockets of the address.
    const addresses = new Map(
      sockets.filter((each) => each.port === port)
        .map(({ address, descriptor }) => [address, descriptor]),
    );
    for (const descriptor of addresses.values()) {
      if (attach(c, descriptor, oldSockets)) steered.push(descriptor);
      else log.warn("new clients of port {port} are not steered to this process", { port });
    }
  }
  return () => {
    const none = new Uint8Array(4);
    for (const descriptor of steered) {
      c.setsockopt(descriptor, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, none, none.length);
    }
    library.close();
  };
}

/** Sends all new connections to one socket, by its number at the address. */
function attach(c: CLibrary, descriptor: number, socket: number): boolean {
  // struct sock_filter { u16 code; u8 jt, jf; u32 k; }, struct sock_fprog { u16 len; filter *; }
  const filter = new Uint8Array(8);
  const instruction = new DataView(filter.buffer);
  instruction.setUint16(0, BPF_RET_K, true);
  instruction.setUint32(4, socket, true);
  const program = new BigUint64Array([1n, Deno.UnsafePointer.value(Deno.UnsafePointer.of(filter))]);
  const bytes = new Uint8Array(program.buffer);
  return c.setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, bytes, bytes.length) === 0;
}

/** The sockets of this process that listen for TCP connections. */
function listeningSockets(c: CLibrary): { descriptor: number; address: string; port: number }[] {
  const found = [];
  for (let descriptor = 3; descriptor < DESCRIPTOR_MAX; descriptor++) {
    const accepts = new Uint32Array(1);
    const length = new Uint32Array([4]);
    const isKnown = c.getsockopt(
      descriptor,
      SOL_SOCKET,
      SO_ACCEPTCONN,
      new Uint8Array(accepts.buffer),
      new Uint8Array(length.buffer),
    ) === 0;
    if (!isKnown || accepts[0] !== 1) continue;
    const name = new Uint8Array(SOCKADDR_BYTES);
    length[0] = SOCKADDR_BYTES;
    c.getsockname(descriptor, name, new Uint8Array(length.buffer));
    const [family] = new Uint16Array(name.buffer, 0, 1);
    if (family !== AF_INET && family !== AF_INET6) continue;
    const port = new DataView(name.buffer).getUint16(2);
    found.push({ descriptor, address: name.toHex(), port });
  }
  return found;
}
