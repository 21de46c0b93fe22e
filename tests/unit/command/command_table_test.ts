/**
 * What the command lookup guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { COMMANDS, findByName, findCommand } from "../../../src/command/command_table.ts";
import { argumentsOf, argumentsOfLine } from "../../support/arguments.ts";

function nameOf(line: string): string | undefined {
  return findCommand(argumentsOfLine(line))?.name;
}

Deno.test("findCommand finds every command and subcommand, in any letter case", () => {
  for (const command of COMMANDS) {
    const words = command.name.split("|");
    assertEquals(findCommand(argumentsOf(...words)), command);
    assertEquals(findCommand(argumentsOf(...words.map((word) => word.toUpperCase()))), command);
    const mixed = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
    assertEquals(findCommand(argumentsOf(...mixed, "x")), command);
  }
});

Deno.test("findCommand knows no other names", () => {
  const names = ["", "ge", "gett", "get ", "g\0t", "set|", "client|kill", "kill", "GET\r\n", "`et"];
  for (const name of names) assertEquals(findCommand(argumentsOf(name)), undefined, name);
  assertEquals(findCommand(argumentsOf("x".repeat(100_000))), undefined);
  assertEquals(findCommand(argumentsOf(new Uint8Array([0xe7, 0xe5, 0xf4]))), undefined);
});

Deno.test("findCommand gives the container when the subcommand is missing or unknown", () => {
  assertEquals(nameOf("client"), "client");
  assertEquals(nameOf("CLIENT nonsense"), "client");
  assertEquals(nameOf('CLIENT ""'), "client");
  assertEquals(nameOf(`CLIENT ${"x".repeat(1000)}`), "client");
  assertEquals(nameOf("client KILL addr"), "client|kill");
  assertEquals(nameOf("get kill"), "get");
});

Deno.test("ids are dense and names are unique", () => {
  assertEquals(COMMANDS.map((row) => row.id), COMMANDS.map((_, i) => i));
  assertEquals(new Set(COMMANDS.map((row) => row.name)).size, COMMANDS.length);
  for (const command of COMMANDS) assertEquals(findByName(command.name), command);
});

Deno.test("the row of a hot command tells its only key without a search", () => {
  const keys = [
    "get",
    "set",
    "incr",
    "hset",
    "lpush",
    "expire",
    "object|encoding",
    "mget",
    "xread",
  ];
  assertEquals(keys.map((name) => findByName(name)!.singleKey), [1, 1, 1, 1, 1, 1, 2, 0, 0]);
});

Deno.test("every subcommand belongs to one container", () => {
  for (const command of COMMANDS) {
    assertEquals(command.isContainer, command.subcommands.length > 0);
    for (const id of command.subcommands) {
      assert(COMMANDS[id]!.name.startsWith(`${command.name}|`));
    }
  }
});
