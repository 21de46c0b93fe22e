/**
 * How command lines are understood.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  parseCommandLine,
  type Subcommand,
  UsageError,
} from "../../../../src/cli/parts/subcommand.ts";
import { proxyCommand } from "../../../../src/cli/proxy.ts";

function values(...args: string[]) {
  const request = parseCommandLine(proxyCommand, args);
  return request.kind === "run" ? request.values : request.kind;
}

Deno.test("the proxy takes Codis 2.0's flags, with its defaults", () => {
  const place = { "proxy-id": "", "announce-addr": "", "announce-http-addr": "" };
  assertEquals(values(), {
    "c": "config.ini",
    "L": "",
    "log-level": "",
    "log-filesize": "",
    "cpu": "",
    "addr": ":9000",
    "http-addr": ":9001",
    "take-over": "",
    ...place,
  });
  assertEquals(
    values(
      ...["-c", "my.ini", "-L", "./log/proxy.log", "--log-level=warn", "--log-filesize=10MB"],
      ...["--cpu=4", "--addr=0.0.0.0:19000", "--http-addr", "0.0.0.0:11000"],
    ),
    {
      "c": "my.ini",
      "L": "./log/proxy.log",
      "log-level": "warn",
      "log-filesize": "10MB",
      "cpu": "4",
      "addr": "0.0.0.0:19000",
      "http-addr": "0.0.0.0:11000",
      "take-over": "",
      ...place,
    },
  );
});

Deno.test("--help and --version win over everything that is well-formed", () => {
  assertEquals(values("--addr=:1", "--help", "--version", "word"), "help");
  assertEquals(values("-h"), "help");
  assertEquals(values("--version", "-c", "x"), "version");
});

const MISTAKES: readonly [args: string[], message: string][] = [
  [["--adr=:1"], 'unknown flag "--adr", did you mean "--addr"?'],
  [["--colour"], 'unknown flag "--colour"'],
  [["-x"], 'unknown flag "-x"'],
  [["-cpu=2"], 'unknown flag "-cpu", did you mean "--cpu"?'],
  [["--no-addr"], 'unknown flag "--no-addr"'],
  [["--addr"], "--addr needs a value"],
  [["--addr="], "--addr needs a value"],
  [["-c"], "-c needs a value"],
  [["--addr=:1", "--cpu=2", "--addr=:2"], "--addr is given twice"],
  [["--addr", ":1", "--addr=:1"], "--addr is given twice"],
  [["-c", "x", "-c", "y"], "-c is given twice"],
  [["-c", "x", "y"], 'unexpected word "y"'],
  [["0"], 'unexpected word "0"'],
];

for (const [args, message] of MISTAKES) {
  Deno.test(`a mistaken command line is answered: ${message} (${args.join(" ")})`, () => {
    const complaint = assertThrows(() => values(...args), UsageError);
    assertEquals(complaint.message.startsWith(message), true, complaint.message);
  });
}

Deno.test("a number stays as it was written", () => {
  const command: Subcommand = {
    name: "test",
    summary: "",
    flags: [{ name: "n", value: "n", default: "", help: "" }],
    run: () => Promise.resolve(0),
  };
  assertEquals(parseCommandLine(command, ["-n", "007"]), { kind: "run", values: { n: "007" } });
});
