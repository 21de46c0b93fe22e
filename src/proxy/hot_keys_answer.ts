/**
 * `/hotkeys`: the keys that clients ask for most, and those of the largest requests and replies.
 *
 * @module
 */

import type { HotKeysAnswer } from "../api/hot_keys.ts";
import { latin1Bytes } from "../resp/latin1.ts";
import { type HotKeysReading, sumHotKeys } from "../router/hot_keys/hot_keys.ts";

const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/** What all workers know, as it is answered. */
export function hotKeysAnswer(readings: readonly HotKeysReading[]): HotKeysAnswer {
  const { isOn, requests, hot, big } = sumHotKeys(readings);
  return {
    is_on: isOn,
    requests_per_second: requests,
    hot: hot.map(({ key, keyBytes, database, slot, server, reads, writes }) => ({
      ...{ key: keyText(key), key_bytes: keyBytes, db: database, slot, server },
      ...{ reads_per_second: reads, writes_per_second: writes },
      share: requests === 0 ? 0 : (reads + writes) / requests,
    })),
    big: big.map(({ key, keyBytes, database, slot, server, ...seen }) => ({
      ...{ key: keyText(key), key_bytes: keyBytes, db: database, slot, server },
      of: seen.isReply ? "reply" : "request",
      ...{ bytes: seen.bytes, command: seen.command },
      ...{ has_more_keys: seen.hasMoreKeys, at: seen.atMs },
    })),
  };
}

/**
 * A key's name to read: as it is where it is plain text; else each byte that is no printable ASCII as `\xff`,
 * and `\` as `\\`, so that two keys never look the same.
 *
 * @param bytes One character for each byte.
 */
export function keyText(bytes: string): string {
  try {
    const text = strictDecoder.decode(latin1Bytes(bytes));
    if (!/[\p{C}\p{Zl}\p{Zp}\\]/u.test(text)) return text;
  } catch {
    // no UTF-8
  }
  return bytes.replace(
    /[^ -~]|\\/g,
    (char) => char === "\\" ? "\\\\" : `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
