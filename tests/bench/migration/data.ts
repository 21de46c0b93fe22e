/**
 * The keys that are moved.
 *
 * @module
 */

import { slotIdOf } from "../../../src/hash/slot_id.ts";
import { RespClient, type Word } from "../../support/resp_client.ts";

/** Every key is this and a number from 0 on. */
export const KEY_PREFIX = "key:";

const BATCH = 1_000;
const encoder = new TextEncoder();

/**
 * Fills a server.
 *
 * @param slots Only keys of slots below this number.
 */
export async function fill(
  port: number,
  keys: number,
  data: "strings" | "mixed",
  slots: number,
): Promise<void> {
  using client = await RespClient.connect(port);
  let requests: Word[][] = [];
  for (let i = 0; i < keys; i++) {
    const key = `${KEY_PREFIX}${i}`;
    const bytes = encoder.encode(key);
    if (slots < 1024 && slotIdOf(bytes, 0, bytes.length) >= slots) continue;
    requests.push(data === "strings" ? ["SET", key, "x".repeat(64)] : mixed(key, i));
    if (requests.length < BATCH) continue;
    await client.pipeline(requests);
    requests = [];
  }
  if (requests.length > 0) await client.pipeline(requests);
}

/** Seven in ten are strings of 64 bytes. */
function mixed(key: string, i: number): Word[] {
  const elements = Array.from({ length: 10 + i % 91 }, (_, j) => `element:${j}`);
  switch (i % 10) {
    case 0:
      return ["HSET", key, ...elements.flatMap((element) => [element, "x".repeat(16)])];
    case 1:
      return ["RPUSH", key, ...elements];
    case 2:
      return i % 20 < 10 ? ["SADD", key, ...elements] : ["SET", key, "x".repeat(4_096)];
    default:
      return ["SET", key, "x".repeat(64)];
  }
}
