import { assertEquals } from "@std/assert";
import { Attachment } from "../../../src/proxy/attachment.ts";
import type { AttachedPlace, AttachedService } from "../../../src/proxy/proxy_start.ts";

const REQUEST = new Request("http://proxy/api/overview");

/** An attachment, and how often it was opened and stopped. */
function attachment(open: () => Promise<void> = () => Promise.resolve()) {
  const counts = { opened: 0, stopped: 0 };
  const service: AttachedService = {
    answer: () => Promise.resolve(new Response("here")),
    metrics: () => [{ name: "m", help: "m", type: "gauge", samples: [] }],
    stop: () => {
      counts.stopped++;
      return Promise.resolve();
    },
  };
  const attach = {
    load: () => Promise.resolve(),
    open: async () => {
      counts.opened++;
      await open();
      return service;
    },
  };
  return { counts, attached: new Attachment(attach, {} as AttachedPlace) };
}

Deno.test("Attachment opens for whoever asks before clients are served, and only once", async () => {
  const { counts, attached } = attachment();
  assertEquals(attached.metrics(), []);
  const answers = await Promise.all([1, 2].map(() => attached.answer(REQUEST, "127.0.0.1")));
  assertEquals(await Promise.all(answers.map((answer) => answer.text())), ["here", "here"]);
  assertEquals(attached.metrics().length, 1);
  await attached.stop();
  assertEquals(counts, { opened: 1, stopped: 1 });
});

Deno.test("Attachment that was stopped before it was opened is never opened", async () => {
  const { counts, attached } = attachment();
  attached.serving();
  await attached.stop();
  assertEquals((await attached.answer(REQUEST, "127.0.0.1")).status, 503);
  assertEquals(counts, { opened: 0, stopped: 0 });
});

Deno.test("Attachment that cannot be opened answers 503", async () => {
  const { attached } = attachment(() => Promise.reject(new Error("no such module")));
  assertEquals((await attached.answer(REQUEST, "127.0.0.1")).status, 503);
  await attached.stop();
});
