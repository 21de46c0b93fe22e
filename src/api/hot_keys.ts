/**
 * What `GET /hotkeys` of a proxy answers, and `GET /api/hotkeys` of a dashboard for all proxies.
 *
 * @module
 */

/** A key; its name is escaped where it is no text, and cut. */
interface NamedKeyEntry {
  readonly key: string;
  /** How many bytes its name has. */
  readonly key_bytes: number;
  readonly db: number;
  readonly slot: number;
  /** Empty: none. */
  readonly server: string;
}

/** A key that is asked for often. */
export interface HotKeyEntry extends NamedKeyEntry {
  /** Requests for each second that name it. */
  readonly reads_per_second: number;
  readonly writes_per_second: number;
  /** Which part of all requests with keys names it. */
  readonly share: number;
}

/** A key with a large request or reply. */
export interface BigKeyEntry extends NamedKeyEntry {
  readonly of: "request" | "reply";
  readonly bytes: number;
  readonly command: string;
  /** Whether the request names more keys: then it is one of them. */
  readonly has_more_keys: boolean;
  /** When it was seen, in Unix milliseconds. */
  readonly at: number;
}

/** See the header. */
export interface HotKeysAnswer {
  /** Whether keys are looked at; not where `hot_key_samples` is 0 at all who answered. */
  readonly is_on: boolean;
  /** Requests with keys. */
  readonly requests_per_second: number;
  /** The hottest first. */
  readonly hot: readonly HotKeyEntry[];
  /** The largest first. */
  readonly big: readonly BigKeyEntry[];
}

/** The answers of several proxies as that of one. */
export function sumHotKeyAnswers(answers: readonly HotKeysAnswer[]): HotKeysAnswer {
  const requests = answers.reduce((sum, each) => sum + each.requests_per_second, 0);
  const hot = new Map<string, HotKeyEntry>();
  for (const key of answers.flatMap((answer) => answer.hot)) {
    const { reads_per_second: reads, writes_per_second: writes } = hot.get(nameOfEntry(key)) ??
      { reads_per_second: 0, writes_per_second: 0 };
    const reads_per_second = reads + key.reads_per_second;
    const writes_per_second = writes + key.writes_per_second;
    const share = requests === 0 ? 0 : (reads_per_second + writes_per_second) / requests;
    hot.set(nameOfEntry(key), { ...key, reads_per_second, writes_per_second, share });
  }
  const big = new Map<string, BigKeyEntry>();
  for (const key of answers.flatMap((answer) => answer.big)) {
    const name = `${key.of} ${nameOfEntry(key)}`;
    if ((big.get(name)?.bytes ?? 0) < key.bytes) big.set(name, key);
  }
  return {
    is_on: answers.length === 0 || answers.some(({ is_on }) => is_on),
    requests_per_second: requests,
    hot: [...hot.values()].sort((a, b) => b.share - a.share),
    big: [...big.values()].sort((a, b) => b.bytes - a.bytes),
  };
}

/** One name for each key. */
export function nameOfEntry({ key, key_bytes, db }: NamedKeyEntry): string {
  return `${db} ${key_bytes} ${key}`;
}
