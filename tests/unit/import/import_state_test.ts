import { assert, assertEquals, assertRejects } from "@std/assert";
import { ImportState, StateError } from "../../../src/import/import_state.ts";

const TASK = "a to b";
const isEmpty = () => true;

Deno.test("a state is used by one import or export at a time, and by the next one after it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "codis-state-" });
  const file = `${folder}/state`;
  try {
    const first = await ImportState.open(file, TASK, isEmpty);
    const error = await assertRejects(() => ImportState.open(file, TASK, isEmpty), StateError);
    assertEquals(error.message.startsWith(`${file} is in use: another import or export`), true);
    first.source("s").history = "h";
    first.save();
    first[Symbol.dispose]();
    {
      using second = await ImportState.open(file, TASK, isEmpty);
      assert(second.isContinued);
      assertEquals(second.source("s").history, "h");
    }
    await assertRejects(
      () => ImportState.open(file, "c to d", isEmpty),
      StateError,
      "another task",
    );
    {
      using last = await ImportState.open(file, TASK, isEmpty);
      await last.remove();
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
