/**
 * Network addresses as users write them: `host:port`, IPv6 literals in brackets.
 *
 * @module
 */

import { excerpt } from "./excerpt.ts";

/** One end point: where to dial or what to listen on. */
export interface Address {
  /** Host name, IPv4 literal or IPv6 literal without brackets; `""` only in a listen address. */
  readonly hostname: string;
  /** 1..65535; 0 only in a listen address, where it means any free port. */
  readonly port: number;
}

/** Where HTTP is spoken. */
export interface HttpAddress extends Address {
  /** Whether with TLS, as `https://` says. */
  readonly isTls?: boolean;
}

/** Highest TCP port. */
const PORT_MAX = 65535;

/**
 * Reads an address to dial: `redis-1:6379`, `127.0.0.1:6379`, `[::1]:6379`. Of an IPv6 literal, the shortest
 * spelling is returned.
 *
 * @throws {SyntaxError} When the host is missing, the port is not 1..65535, or an IPv6 literal
 * lacks its brackets, or is none; the message quotes the text and names the rule.
 */
export function parseAddress(text: string): Address {
  const address = splitAddress(text);
  if (address.hostname === "") {
    throw new SyntaxError(`address "${excerpt(text)}" has no host: write host:port`);
  }
  if (address.port === 0) {
    throw new SyntaxError(`address "${excerpt(text)}" has port 0: a port is 1 to ${PORT_MAX}`);
  }
  return address;
}

/**
 * Reads an address to listen on: as {@linkcode parseAddress}, but the host may be empty (`:9000`,
 * every interface) and the port may be 0 (any free one).
 *
 * @throws {SyntaxError} As {@linkcode parseAddress}.
 */
export function parseListenAddress(text: string): Address {
  return splitAddress(text);
}

/**
 * Reads an address of HTTP: as {@linkcode parseAddress}, with `https://` before it where TLS is spoken.
 *
 * @throws {SyntaxError} As {@linkcode parseAddress}.
 */
export function parseHttpAddress(text: string): HttpAddress {
  const bare = text.replace(/^https:\/\//, "").replace(/\/$/, "");
  return bare === text ? parseAddress(text) : { ...parseAddress(bare), isTls: true };
}

/** Writes an address the way {@linkcode parseAddress} reads it. */
export function formatAddress(address: Address): string {
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether only this machine can have such an address; `localhost` counts, by its meaning. */
export function isLoopback(hostname: string): boolean {
  const address = hostname.replace(/^::ffff:(?=\d+\.)/i, "");
  return address === "localhost" || address === "::1" || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/**
 * Where this machine reaches who listens at an address: by 127.0.0.1, if that is every interface; by ::1 where there
 * is IPv6 alone.
 *
 * @param own The addresses of this machine.
 */
export function reachableHere(
  address: Address,
  own: () => readonly string[] = ownAddresses,
): Address {
  const { hostname, port } = address;
  if (!["", "0.0.0.0", "::"].includes(hostname)) return address;
  const isOnly6 = hostname !== "0.0.0.0" && !own().includes("127.0.0.1") && own().includes("::1");
  return { hostname: isOnly6 ? "::1" : "127.0.0.1", port };
}

/** The addresses of this machine. */
export function ownAddresses(): readonly string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}

function splitAddress(text: string): Address {
  const bracketed = /^\[([0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[\w.-]+)?)\]:([^:]*)$/.exec(text);
  if (bracketed !== null) {
    return { hostname: shortest(bracketed[1]!, text), port: parsePort(bracketed[2]!, text) };
  }
  // As a script writes it that does not know of which kind its address is.
  const bracketed4 = /^\[(\d+(?:\.\d+){3})\]:([^:]*)$/.exec(text);
  if (bracketed4 !== null) {
    return { hostname: bracketed4[1]!, port: parsePort(bracketed4[2]!, text) };
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    throw new SyntaxError(`address "${excerpt(text)}" is a URL: write host:port alone`);
  }
  if (/^\[.*\]$/.test(text)) {
    throw new SyntaxError(`address "${excerpt(text)}" has no port: write [host]:port`);
  }
  const colon = text.lastIndexOf(":");
  if (colon < 0) throw new SyntaxError(`address "${excerpt(text)}" has no port: write host:port`);
  const hostname = text.slice(0, colon);
  if (/^(?=.*:)[0-9a-f:.]+(%[\w.-]+)?$/i.test(hostname)) {
    throw new SyntaxError(
      `address "${excerpt(text)}" needs brackets around IPv6: write [host]:port`,
    );
  }
  if (!/^[\w.-]*$/.test(hostname)) {
    throw new SyntaxError(
      `address "${excerpt(text)}" has a bad host: letters, digits, ".", "-" and "_" only`,
    );
  }
  return { hostname, port: parsePort(text.slice(colon + 1), text) };
}

/** One spelling of an IPv6 literal: two of one address are equal then. */
function shortest(literal: string, text: string): string {
  const [address, zone] = literal.split("%");
  const url = URL.parse(`http://[${address}]`);
  if (url === null) {
    throw new SyntaxError(`address "${excerpt(text)}" has a bad host: no IPv6 address`);
  }
  // `::ffff:10.0.0.1` stays as people write it.
  const short = address!.includes(".") ? address! : url.hostname.slice(1, -1);
  return zone === undefined ? short : `${short}%${zone}`;
}

function parsePort(digits: string, text: string): number {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : NaN;
  if (!(port <= PORT_MAX)) {
    throw new SyntaxError(`address "${excerpt(text)}" has a bad port: a port is 1 to ${PORT_MAX}`);
  }
  return port;
}
