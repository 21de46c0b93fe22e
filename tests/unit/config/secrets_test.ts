/**
 * Where secrets may come from, and what is said when they cannot.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import denoJson from "../../../deno.json" with { type: "json" };
import { type LoadedConfig, parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/error.ts";
import type { ConfigKey } from "../../../src/config/key.ts";
import { CONFIG_KEYS } from "../../../src/config/keys.ts";
import {
  isSecretKey,
  SECRET_SOURCES,
  secretFileKey,
  type SecretSources,
  secretVariable,
} from "../../../src/config/secrets.ts";
import type { Secret } from "../../../src/base/secret.ts";

const ROWS = (CONFIG_KEYS as readonly ConfigKey[]).filter(isSecretKey);
/** What checks need that look at several keys. */
const BESIDE = "backend_client_user = u\nbackend_client_password = p\nzk = a:1\nproxy_id = p\n" +
  "dashboard_addr = a:1\n";

interface Elsewhere {
  readonly files?: Record<string, string | Uint8Array>;
  readonly variables?: Record<string, string>;
}

function sourcesOf({ files = {}, variables = {} }: Elsewhere): SecretSources {
  return {
    variable: (name) => variables[name],
    read: (path) => {
      const content = files[path];
      if (content === undefined) throw new Deno.errors.NotFound();
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    },
  };
}

function load(text: string, elsewhere: Elsewhere = {}): LoadedConfig {
  return parseConfig(text, "config.ini", "proxy", sourcesOf(elsewhere));
}

function complaint(text: string, elsewhere: Elsewhere): string {
  return assertThrows(() => load(text, elsewhere), ConfigError).message;
}

/** The text without the line of a key. */
function without(key: string): string {
  return BESIDE.split("\n").filter((line) => !line.startsWith(`${key} `)).join("\n");
}

function secretOf({ config }: LoadedConfig, row: ConfigKey): Secret {
  return (config as unknown as Record<string, Secret>)[row.field]!;
}

/** Two values of a secret that its key takes. */
function marksOf({ kind }: ConfigKey): [string, string] {
  return kind === "secretUrl" ? ["http://a/mark", "http://b/mark"] : ["a:mark", "b:mark"];
}

Deno.test("every secret key may be a line, a file or a variable", () => {
  assert(ROWS.length >= 5);
  for (const row of ROWS) {
    const [mark] = marksOf(row);
    const [file, name, text] = [secretFileKey(row), secretVariable(row), without(row.key)];
    const loads = [
      load(`${text}\n${row.key} = ${mark}`),
      load(`${text}\n${file} = /run/s`, { files: { "/run/s": `${mark}\n` } }),
      load(text, { variables: { [name]: mark } }),
      load(`${text}\n${row.key} =\n${file} =`, { variables: { [name]: mark } }),
      load(`${text}\n${row.key} = ${mark}`, { variables: { [name]: "" } }),
    ];
    for (const loaded of loads) {
      assertEquals(secretOf(loaded, row).revealAll(), [mark], row.key);
      assertEquals(JSON.stringify(loaded.config).includes("mark"), false);
      assertEquals(Deno.inspect(loaded, { depth: 9 }).includes(mark), false);
    }
  }
});

Deno.test("a secret that is set in two places is refused by the names of both", () => {
  for (const row of ROWS) {
    const [mark, other] = marksOf(row);
    const [file, name, text] = [secretFileKey(row), secretVariable(row), without(row.key)];
    const line = text.split("\n").length + 1;
    const files = { "/run/s": other };
    const variables = { [name]: other };
    const at = `config.ini:${line}: `;
    const keep = "are both set: keep one of them";
    assertEquals(
      complaint(`${text}\n${row.key} = ${mark}\n${file} = /run/s`, { files }),
      `${at}${row.key} and ${file} ${keep}`,
    );
    assertEquals(
      complaint(`${text}\n${row.key} = ${mark}`, { variables }),
      `${at}${row.key} and environment variable ${name} ${keep}`,
    );
    assertEquals(
      complaint(`${text}\n${file} = /run/s`, { files, variables }),
      `${at}${file} and environment variable ${name} ${keep}`,
    );
  }
});

Deno.test("a file of a secret keeps spaces and signs, and may hold older values below", () => {
  const values = (content: string) =>
    load("password_file = f", { files: { f: content } }).config.password.revealAll();
  assertEquals(values("new"), ["new"]);
  assertEquals(values("new\r\nold\r\n"), ["new", "old"]);
  assertEquals(values(' a "b" # c \n\n'), [' a "b" # c ']);
  assertEquals(values("\ufeffpaßwort\n"), ["paßwort"]);
});

Deno.test("a file of a secret that cannot be used is named, and its content is not", () => {
  const at = "config.ini:1: password_file";
  const cases: [string, Uint8Array | string][] = [
    [`${at} = "f": is empty: write the secret into its first line`, "\n\n"],
    [`${at} = "f": is not UTF-8`, new Uint8Array([0xff, 0x41])],
    [`${at} = "f": line 2 is empty`, "mark\n\nmark"],
    [`${at} = "f": line 1 has an invisible character`, "mark\tmark"],
  ];
  for (const [message, f] of cases) {
    assertEquals(complaint("password_file = f", { files: { f } }), message);
  }
  assertEquals(complaint("password_file = g", {}), `${at} = "g": cannot be read: no such file`);
  assertEquals(
    complaint("dashboard_token_file = f", { files: { f: "good\nmark€" } }),
    "config.ini:1: dashboard_token_file: dashboard_token = ***: must be Latin letters, digits and " +
      "signs: HTTP headers cannot hold others",
  );
  const read = (path: string) => assertThrows(() => SECRET_SOURCES.read(path), Error).message;
  assertEquals(read("/dev/zero"), "it is not a file");
  assertEquals(
    complaint("", { variables: { CODIS_PROXY_PASSWORD: "mark\n" } }),
    "environment variable CODIS_PROXY_PASSWORD: it has an invisible character",
  );
});

Deno.test("the program may read the variables of all secrets, and start nothing", () => {
  const words = denoJson.tasks.start.command.split(" ");
  const allowed = words.find((word) => word.startsWith("--allow-env="))!.split(/[=,]/);
  for (const row of ROWS) assert(allowed.includes(secretVariable(row)), secretVariable(row));
  assertEquals(words.filter((word) => /^(--allow-(run|ffi|all)|-A)/.test(word)), []);
});
