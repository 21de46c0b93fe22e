/**
 * What progress looks like.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Progress, type ProgressPlace } from "../../../../src/cli/parts/progress.ts";

class Paper implements ProgressPlace {
  text = "";
  constructor(readonly isTerminal: boolean) {}
  write(text: string): void {
    this.text += text;
  }
}

Deno.test("Progress draws a bar on a terminal, anew each time, and takes it away", () => {
  const paper = new Paper(true);
  {
    using progress = new Progress(paper);
    progress.show(0, 3, "");
    progress.show(2, 3, "slot 7");
    progress.say("hello");
  }
  assertEquals(paper.text.split("\r\x1b[K"), [
    "",
    `[${" ".repeat(30)}] 0/3`,
    `[${"#".repeat(20)}${" ".repeat(10)}] 2/3  slot 7`,
    "hello\n",
    "",
  ]);
});

Deno.test("Progress writes nothing but a line every few seconds where there is no terminal", () => {
  const paper = new Paper(false);
  {
    using progress = new Progress(paper);
    progress.show(0, 3, "slot 7");
    progress.say("hello");
  }
  assertEquals(paper.text, "hello\n");
});
