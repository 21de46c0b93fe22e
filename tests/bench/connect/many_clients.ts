/**
 * Thousands of clients that connect at once and then ask one request at a time, by plain calls of the C
 * library: Deno's own connections are what is measured, and would measure themselves.
 *
 * @module
 */

// Linux's numbers.
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 1;
const EPOLLOUT = 4;
const EPOLLERR = 8;
/** A `struct epoll_event` on x86-64: four bytes of events, then the descriptor. */
const EVENT_BYTES = 12;
const EVENTS_MAX = 1_024;
const WAIT_MS = 50;
const REPLY_BYTES = 4_096;
const REQUEST = new TextEncoder().encode("*2\r\n$3\r\nGET\r\n$1\r\na\r\n");

/** How it went. */
export interface ManyClientsOutcome {
  /** Times from connect to first reply, in milliseconds, shortest first; shorter when not all had one. */
  readonly firstReplyMs: readonly number[];
  /** Connections that failed. */
  readonly failures: number;
  readonly requestsPerSecond: number;
}

function openLibrary() {
  return Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    epoll_create1: { parameters: ["i32"], result: "i32" },
    epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
    send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
}

/** Connects so many clients to a port of this machine, and lets them ask until the time is over. */
export function runManyClients(port: number, count: number, seconds: number): ManyClientsOutcome {
  const library = openLibrary();
  const c = library.symbols;
  const poll = c.epoll_create1(0);
  const event = new DataView(new ArrayBuffer(EVENT_BYTES));
  const watch = (how: number, descriptor: number, events: number) => {
    event.setUint32(0, events, true);
    event.setUint32(4, descriptor, true);
    c.epoll_ctl(poll, how, descriptor, new Uint8Array(event.buffer));
  };
  const address = new Uint8Array(16);
  new DataView(address.buffer).setUint16(0, AF_INET, true);
  new DataView(address.buffer).setUint16(2, port);
  address.set([127, 0, 0, 1], 4);
  const startMs = performance.now();
  const begunMs = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const descriptor = c.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (descriptor < 0) throw new Error(`ulimit -n is too low for ${count} clients`);
    begunMs.set(descriptor, performance.now());
    c.connect(descriptor, address, address.length);
    watch(EPOLL_CTL_ADD, descriptor, EPOLLOUT);
  }
  const connected = new Set<number>();
  const firstMs = new Map<number, number>();
  const found = new DataView(new ArrayBuffer(EVENTS_MAX * EVENT_BYTES));
  const foundBytes = new Uint8Array(found.buffer);
  const reply = new Uint8Array(REPLY_BYTES);
  let [requests, failures] = [0, 0];
  const serve = (descriptor: number, events: number) => {
    if (!connected.has(descriptor) && (events & EPOLLERR) === 0) {
      connected.add(descriptor);
      watch(EPOLL_CTL_MOD, descriptor, EPOLLIN);
    } else if (c.recv(descriptor, reply, BigInt(reply.length), 0) > 0) {
      requests++;
      if (!firstMs.has(descriptor)) {
        firstMs.set(descriptor, performance.now() - begunMs.get(descriptor)!);
      }
    } else {
      failures++;
      watch(EPOLL_CTL_DEL, descriptor, 0);
      return;
    }
    c.send(descriptor, REQUEST, BigInt(REQUEST.length), 0);
  };
  while (performance.now() - startMs < seconds * 1_000) {
    const ready = c.epoll_wait(poll, foundBytes, EVENTS_MAX, WAIT_MS);
    for (let at = 0; at < ready * EVENT_BYTES; at += EVENT_BYTES) {
      serve(found.getUint32(at + 4, true), found.getUint32(at, true));
    }
  }
  for (const descriptor of [...begunMs.keys(), poll]) c.close(descriptor);
  library.close();
  return {
    firstReplyMs: [...firstMs.values()].sort((a, b) => a - b),
    failures,
    requestsPerSecond: requests / seconds,
  };
}
