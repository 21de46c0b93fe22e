/**
 * What the documents guarantee: links lead somewhere, and what exists is described.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { API_TABLE } from "../../src/dashboard/api/api.ts";
import { OUTAGE_KIND_NAMES } from "../../src/model/outage_event.ts";

const ROOT = new URL("../../", import.meta.url);

/** Every Markdown file of the project, by its path from the root. */
async function documents(): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const visit = async (folder: string) => {
    for await (const { name, isFile, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
      if (isFile && name.endsWith(".md")) {
        texts.set(`${folder}${name}`, await Deno.readTextFile(new URL(`${folder}${name}`, ROOT)));
      } else if (isDirectory && folder !== "") await visit(`${folder}${name}/`);
    }
  };
  for (const folder of ["", "docs/", "tests/bench/"]) await visit(folder);
  return texts;
}

/** Text without blocks of code. */
function prose(text: string): string {
  return text.replace(/^```[^]*?^```/gm, "").replace(/^ {4}.*$/gm, "");
}

/** The anchors of a document's headings, as code hosts make them. */
function anchors(text: string): Set<string> {
  return new Set(
    [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}

async function exists(url: URL): Promise<boolean> {
  return await Deno.stat(url).then(() => true, () => false);
}

Deno.test("every link between documents leads to a file, and to a heading in it", async () => {
  const texts = await documents();
  const broken: string[] = [];
  for (const [path, text] of texts) {
    for (const [, target] of prose(text).replace(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const url = new URL(target!, new URL(path, ROOT));
      const anchor = decodeURIComponent(url.hash.slice(1));
      url.hash = "";
      const linked = url.href.slice(ROOT.href.length);
      const isThere = await exists(url) &&
        (anchor === "" || anchors(texts.get(linked) ?? "").has(anchor));
      if (!isThere) broken.push(`${path}: ${target}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("every document can be reached from README.md", async () => {
  const texts = await documents();
  const seen = new Set<string>();
  const follow = (path: string) => {
    if (seen.has(path) || !texts.has(path)) return;
    seen.add(path);
    for (const [, target] of texts.get(path)!.matchAll(/\]\(([^)#\s]+\.md)[^)]*\)/g)) {
      follow(new URL(target!, new URL(path, ROOT)).href.slice(ROOT.href.length));
    }
  };
  follow("README.md");
  assertEquals([...texts.keys()].filter((path) => !seen.has(path)), []);
});

Deno.test("files and folders that documents name in code are there", async () => {
  const missing: string[] = [];
  for (const [path, text] of await documents()) {
    if (path === "CHANGELOG.md") continue;
    for (const [, named] of text.matchAll(/`((?:src|tests|deploy|docs)\/[\w/.-]+)`/g)) {
      if (!await exists(new URL(named!, ROOT))) missing.push(`${path}: ${named}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("docs/operations.md describes every kind of outage, and no other", async () => {
  const document = await Deno.readTextFile(new URL("docs/operations.md", ROOT));
  const [, table] = /^## Outages$([^]*?)^### Webhook$/m.exec(document)!;
  const described = [...table!.matchAll(/^\| `(\w+)` \|/gm)].map(([, kind]) => kind!);
  assertEquals(described, OUTAGE_KIND_NAMES);
});

Deno.test("docs/dashboard.md describes every path of the API, and no other", async () => {
  const folder = new URL("src/dashboard/api/", ROOT);
  const document = await Deno.readTextFile(new URL("docs/dashboard.md", ROOT));
  const made = new Set<string>();
  for await (const { name } of Deno.readDir(folder)) {
    const source = await Deno.readTextFile(new URL(name, folder));
    for (const [, path] of source.matchAll(/"(\/api\/[^"]+)"/g)) made.add(path!);
  }
  const described = [...document.matchAll(/^\| `[A-Z]+ (\/api\/\S+)` \|/gm)].map(([, path]) =>
    path!
  );
  assertEquals([...new Set(described)].toSorted(), [...made].toSorted());
});

Deno.test("docs/dashboard.md names the role of each request that needs another one than its like", async () => {
  const rows = (await Deno.readTextFile(new URL("docs/dashboard.md", ROOT))).split("\n");
  for (const { method, path, role, changes } of API_TABLE) {
    // What may be asked by POST, too, as browsers need, has one row.
    const row = rows.find((row) => row.startsWith(`| \`${method} ${path}\``)) ??
      rows.find((row) => row.startsWith(`| \`GET ${path}\``) && row.includes("also by POST"));
    const named = /needs the role (\w+)/.exec(row ?? "")?.[1];
    const isUsual = role === "anyone" || role === (changes ? "operator" : "viewer");
    assertEquals(named, isUsual ? undefined : role, `${method} ${path}`);
  }
});

Deno.test("texts that documents explain are texts of the program", async () => {
  const sources: string[] = [];
  const visit = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
      if (isDirectory) await visit(`${folder}${name}/`);
      else if (/\.[jt]s$/.test(name)) {
        sources.push(await Deno.readTextFile(new URL(`${folder}${name}`, ROOT)));
      }
    }
  };
  await visit("src/");
  // A text that is broken over lines is one text.
  const source = sources.join("\n").replace(/["`]\s*\+\s*["`]/g, "");
  const explained: string[] = [];
  for (const text of (await documents()).values()) {
    for (const [, table] of text.matchAll(/<!-- texts -->([^]*?)<!-- \/texts -->/g)) {
      explained.push(...[...table!.matchAll(/^\| `([^`]+)` \|/gm)].map(([, line]) => line!));
    }
  }
  // What a reply begins with is often put before the rest.
  const unknown = explained.filter((text) =>
    !text.replace(/^ERR /, "").split("…").every((part) => source.includes(part))
  );
  assertEquals(unknown, []);
  assertEquals(explained.length > 30, true, `${explained.length} texts`);
});
