/**
 * The screen of `top` as text: it fills the terminal and no more, whatever there is to show.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ClusterView } from "../../../../src/api/cluster_view.ts";
import type { TopData } from "../../../../src/cli/top/feed.ts";
import { pressKey, START, type TopState } from "../../../../src/cli/top/keys.ts";
import { LIST_NAMES, LISTS } from "../../../../src/cli/top/lists.ts";
import { drawScreen, screenText } from "../../../../src/cli/top/screen.ts";
import { plainText, renderLine, widthOf } from "../../../../src/cli/top/text.ts";
import { TASK, VIEW } from "../../../support/cluster_view.ts";
import { GROUP_COUNT, madeUpCluster, PROXY_COUNT } from "../../../support/made_up_cluster.ts";
import { SLOW, topData } from "../../../support/top_data.ts";

const SIZES = [[80, 24], [120, 40], [40, 10], [20, 5], [300, 100]] as const;

/** A name that is wider than it has characters, and one that is too long for any line. */
function withNames(addr: string, id: string): ClusterView {
  const [group, ...groups] = VIEW.groups;
  const [server, ...servers] = group!.servers;
  return {
    ...VIEW,
    product: addr,
    groups: [{ ...group!, servers: [{ ...server!, addr }, ...servers] }, ...groups],
    proxies: [{ ...VIEW.proxies[0]!, id }],
  };
}

const NOTHING: ClusterView = {
  ...VIEW,
  ops: 0,
  groups: [],
  proxies: [],
  slots: { group: Array(1024).fill(-1), status: "-".repeat(1024), from: {}, ops: [], served: 0 },
};

const CLUSTERS: Readonly<Record<string, TopData>> = {
  "two groups": topData(),
  "64 groups": topData(madeUpCluster(5)),
  "nothing at all": topData(NOTHING, { events: [], open: [], slow: [] }),
  "wide names": topData(withNames("日本語のサーバー.example:6379", "代理👨‍👩‍👧é")),
  "long names": topData(withNames(`${"long.".repeat(60)}example:6379`, "p".repeat(300))),
  "a dashboard that is gone": topData(VIEW, {
    lost: { problem: "dashboard dash-1:18087 cannot be reached: connection refused", since: 1 },
  }),
};

function press(data: TopData, ...keys: readonly string[]): TopState {
  return keys.reduce<TopState>((state, key) => {
    const step = pressKey(state, key, data);
    assert(step !== "quit");
    return step;
  }, START);
}

function textOf(data: TopData, state: TopState, columns: number, rows: number): string {
  return drawScreen(data, state, { columns, rows }).lines
    .map((line) => plainText(line).trimEnd()).join("\n");
}

for (const [name, data] of Object.entries(CLUSTERS)) {
  Deno.test(`every list and page of ${name} fills the terminal, and no line is too wide`, () => {
    const states = LIST_NAMES.flatMap((list) => {
      const { key } = LISTS[list];
      return [press(data, key), press(data, key, "end"), press(data, key, "enter")];
    });
    for (const [columns, rows] of SIZES) {
      for (const state of [...states, press(data, "?")]) {
        const { lines } = drawScreen(data, state, { columns, rows });
        assertEquals(lines.length, rows);
        for (const line of lines) {
          const text = renderLine(line, { hasColours: false, hasBlocks: true });
          // deno-lint-ignore no-control-regex
          assert(!/[\x00-\x1f\x7f-\x9f\u202e]/.test(text), JSON.stringify(text));
          assert(widthOf(text) <= columns, `${columns} columns: "${text}"`);
        }
      }
    }
  });
}

Deno.test("80 columns and 24 lines show the whole of a small cluster", () => {
  const text = textOf(topData({ ...VIEW, migrations: [TASK] }), START, 80, 24);
  const [, ...lines] = text.split("\n");
  assertEquals(
    lines.slice(0, 2),
    [
      " requests/s 1 234  p50 –  p99 –  clients 50  keys 1.00M  memory 1.50 GB",
      " servers 2/3  proxies 1/1  slots 512/1024  zookeeper connected  failover auto",
    ].map((line) => line.replace("1 234", "1\u202f234").replace("1.50 GB", "1.50\u202fGB")),
  );
  assertStringIncludes(text, ` slots    ${"1".repeat(35)}${"2".repeat(34)}`);
  assertStringIncludes(text, "! ");
  assertStringIncludes(text, ">1      redis-1:6379   master      600");
  assertStringIncludes(text, "2      redis-3:6379   master        –");
  assertStringIncludes(text, "5      1 → 2    moving   █░░░░░░░░░░░  10%");
  assertStringIncludes(text, "120\u202fms server 95%   redis-1:6379   LRANGE ?[2Jtimeline:?");
  assertEquals(
    lines.at(-1),
    " [a]ll [s]ervers [p]roxies [g]roups [m]oves s[l]ow [h]ot [o]utages [?] [q]uit",
  );
});

Deno.test("slots that move, are offline or not stored have their own signs", () => {
  const status = `${"o".repeat(512)}${"m".repeat(128)}${"x".repeat(128)}${"-".repeat(256)}`;
  const text = textOf(topData({ ...VIEW, slots: { ...VIEW.slots, status } }), START, 75, 24);
  assertStringIncludes(
    text,
    ` slots    ${"1".repeat(32)}${">".repeat(8)}${"!".repeat(8)}${".".repeat(16)}`,
  );
});

Deno.test("of many rows, those around the chosen one are shown, and how many there are", () => {
  const data = topData(madeUpCluster(5));
  const state = press(data, "g", "end");
  const text = textOf(data, state, 80, 24);
  assertStringIncludes(text, `/${GROUP_COUNT}`);
  assertStringIncludes(text, `\n>${GROUP_COUNT} `);
  assert(!text.includes("\n 1 "), text);
});

Deno.test("a wider terminal shows more columns, a narrow one those that matter most", () => {
  const data = topData();
  const headAt = (columns: number) =>
    textOf(data, press(data, "s"), columns, 24).split("\n").find((line) => / GROUP/.test(line))!;
  assertEquals(
    headAt(120).trim().split(/\s+/),
    ["GROUP", "SERVER", "ROLE", "REQ/S", "KEYS", "CLIENTS", "MEMORY", "STATE"],
  );
  assertEquals(headAt(50).trim().split(/\s+/), ["GROUP", "SERVER", "REQ/S", "STATE"]);
});

Deno.test("an empty cluster says what is missing and what to do", () => {
  const text = textOf(CLUSTERS["nothing at all"]!, START, 80, 24);
  assertStringIncludes(text, "config server add");
  assertStringIncludes(text, "no proxies: start one with `codis-proxy`");
});

Deno.test("looking inside shows all that is known, and says when the row has gone", () => {
  const data = topData();
  const outage = textOf(data, press(data, "o", "enter"), 80, 24);
  assertStringIncludes(outage, "cause       connection refused");
  // Wrapped, not cut.
  assertStringIncludes(outage.replace(/\n +/g, " "), "or promote a replica in its place");
  const slow = textOf(data, press(data, "l", "enter"), 80, 24);
  assertStringIncludes(slow, "server      ██████████████████████░░");
  assertStringIncludes(slow, "client      10.0.0.9:51234 (feed??), user default");
  const hot = textOf(data, press(data, "h"), 80, 24);
  assertMatch(hot, /feed:日本 +███░+ +25\.0% +4.800 +200 +77 redis-1:6379/);
  const key = textOf(data, press(data, "h", "enter"), 80, 24);
  assertStringIncludes(key, " 25.00 % of the requests that name a key");
  assertMatch(key, /reply +2\.86.MB by HGETALL at/);
  const state = press(data, "p", "enter");
  assertStringIncludes(textOf(data, state, 80, 24), "proxy proxy_1");
  const gone = topData({ ...VIEW, proxies: [] });
  assertStringIncludes(textOf(gone, state, 80, 24), "no longer there");
});

Deno.test("a long page stops at its end", () => {
  const commands = Array.from({ length: 20 }, (_, i) => ({
    ...{ command: `CMD${i}`, calls: i, per_second: i, usecs: 12 },
  }));
  const data = topData(VIEW, { commands: { proxy: "proxy_1", rates: commands } });
  const { lines, scrolled } = drawScreen(data, press(data, "p", "enter", "end"), {
    ...{ columns: 80, rows: 24 },
  });
  assert(Number.isSafeInteger(scrolled) && scrolled > 0);
  assertStringIncludes(lines.map(plainText).join("\n"), "LRANGE");
});

Deno.test("the text of a screen has every server and proxy, and no keys", () => {
  const view = madeUpCluster(5);
  const text = screenText(topData(view), START, 120);
  for (const { servers } of view.groups) {
    for (const { addr } of servers) assertStringIncludes(text, addr);
  }
  assertEquals(text.split("\n").filter((line) => /^ proxy_\d/.test(line)).length, PROXY_COUNT);
  assert(!text.includes("[q]uit"));
  assert(text.includes(SLOW.args[0]!));
});
