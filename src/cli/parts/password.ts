/**
 * Reads a password where others do not see it: from a file, from standard input, or from the terminal
 * without showing it. Never from the command line, which every user of a machine can read.
 *
 * @module
 */

import { fileReason } from "../../base/file_fault.ts";

/** Longest input, in bytes. */
const INPUT_BYTES_MAX = 4096;
/** What the keys send that end the input, delete a character, or give up. */
const ENTER = ["\r", "\n"];
const DELETE = ["\x7f", "\b"];
const GIVE_UP = ["\x03", "\x04"];

/**
 * Reads a new password.
 *
 * @param file The file to read it from; `""`: standard input.
 * @throws {Error} When the file cannot be read, or the user gives up or types two different passwords.
 */
export async function readNewPassword(file: string): Promise<string> {
  if (file !== "") return await readPasswordFile(file, "password-file");
  if (!Deno.stdin.isTerminal()) return firstLine(await readStandardInput());
  const password = ask("password: ");
  if (ask("again: ") !== password) throw new Error("the two passwords differ: nothing was changed");
  return password;
}

/**
 * Reads the first line of a file.
 *
 * @param flag The flag that names the file.
 * @throws {Error} When it cannot be read.
 */
export async function readPasswordFile(file: string, flag: string): Promise<string> {
  try {
    return firstLine(await Deno.readTextFile(file));
  } catch (error) {
    throw new Error(`cannot read --${flag} "${file}": ${fileReason(error)}`);
  }
}

async function readStandardInput(): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of Deno.stdin.readable) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > INPUT_BYTES_MAX || /[\r\n]/.test(text)) break;
  }
  return text;
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!;
}

/** Asks on the terminal, without showing what is typed. */
function ask(question: string): string {
  const terminal = new TextEncoder();
  Deno.stderr.writeSync(terminal.encode(question));
  Deno.stdin.setRaw(true);
  try {
    let typed: string[] = [];
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(64);
    for (;;) {
      const length = Deno.stdin.readSync(chunk);
      if (length === null) throw new Error("no password was typed: nothing was changed");
      for (const char of decoder.decode(chunk.subarray(0, length), { stream: true })) {
        if (ENTER.includes(char)) return typed.join("");
        if (GIVE_UP.includes(char)) throw new Error("no password was typed: nothing was changed");
        if (DELETE.includes(char)) typed = typed.slice(0, -1);
        else typed.push(char);
      }
    }
  } finally {
    Deno.stdin.setRaw(false);
    Deno.stderr.writeSync(terminal.encode("\n"));
  }
}
