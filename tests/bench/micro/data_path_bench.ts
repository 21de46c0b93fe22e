/**
 * The pieces of the data path by themselves: `deno task bench:micro`.
 *
 * One iteration works through 1 MB, so iterations per second are MB/s; the name says how many requests
 * or replies that is.
 *
 * @module
 */

import { findCommand } from "../../../src/command/command_table.ts";
import { slotIdOf } from "../../../src/hash/slot_id.ts";
import { ReplyFramer } from "../../../src/resp/reply_framer.ts";
import { RequestParser } from "../../../src/resp/request_parser.ts";
import { latin1 } from "../../support/pieces.ts";

const MEGABYTE = 1_000_000;

/** A text repeated until it is about a megabyte. */
function megabyteOf(text: string): { bytes: Uint8Array<ArrayBuffer>; count: number } {
  const count = Math.round(MEGABYTE / text.length);
  return { bytes: latin1(text.repeat(count)), count };
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

const REQUESTS: Readonly<Record<string, string>> = {
  "GETs": `*2\r\n${bulk("GET")}${bulk("key:000000012345")}`,
  "SETs of 64 B": `*3\r\n${bulk("SET")}${bulk("key:000000012345")}${bulk("x".repeat(64))}`,
  "SETs of 4 KB": `*3\r\n${bulk("SET")}${bulk("key:000000012345")}${bulk("x".repeat(4096))}`,
  "MGETs of 100 keys": `*101\r\n${bulk("MGET")}${bulk("key:000000012345").repeat(100)}`,
  "inline GETs": "GET key:000000012345\r\n",
};

for (const [name, text] of Object.entries(REQUESTS)) {
  const { bytes, count } = megabyteOf(text);
  const parser = new RequestParser();
  Deno.bench({
    group: "request parser",
    name: `${name} (${count} a MB)`,
    fn() {
      for (let at = 0; at < bytes.length; at = parser.nextStart) {
        if (parser.parse(bytes, at, bytes.length) !== "request") throw new Error(parser.error);
        parser.next();
      }
    },
  });
}

const REPLIES: Readonly<Record<string, string>> = {
  "+OK": "+OK\r\n",
  "integers": ":12345\r\n",
  "bulks of 64 B": bulk("x".repeat(64)),
  "bulks of 4 KB": bulk("x".repeat(4096)),
  "arrays of 100 bulks": `*100\r\n${bulk("x".repeat(20)).repeat(100)}`,
};

for (const [name, text] of Object.entries(REPLIES)) {
  const { bytes, count } = megabyteOf(text);
  const framer = new ReplyFramer();
  Deno.bench({
    group: "reply framer",
    name: `${name} (${count} a MB)`,
    fn() {
      for (let at = 0; at < bytes.length;) {
        at = framer.feed(bytes, at, bytes.length);
        if (!framer.isDone) throw new Error(framer.error);
        framer.reset();
      }
    },
  });
}

const KEYS: Readonly<Record<string, string>> = {
  "keys of 16 B": "key:000000012345",
  "keys of 64 B": "key:".padEnd(64, "0"),
  "keys of 16 B with a tag": "{000123}:name:12",
};

for (const [name, key] of Object.entries(KEYS)) {
  const { bytes, count } = megabyteOf(key);
  Deno.bench({
    group: "slot of a key",
    name: `${name} (${count} a MB)`,
    fn() {
      for (let i = 0; i < count; i++) slotIdOf(bytes, i * key.length, (i + 1) * key.length);
    },
  });
}

for (const name of ["GET", "get", "ZREVRANGEBYSCORE", "nosuchcommand"]) {
  const bytes = latin1(`*1\r\n${bulk(name)}`);
  const count = Math.round(MEGABYTE / bytes.length);
  const parser = new RequestParser();
  parser.parse(bytes, 0, bytes.length);
  Deno.bench({
    group: "command look-up",
    name: `${name} (${count} a MB)`,
    fn() {
      for (let i = 0; i < count; i++) findCommand(parser);
    },
  });
}
