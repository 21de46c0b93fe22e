import { assertEquals, assertThrows } from "@std/assert";
import { changesIn } from "../../deploy/changes.ts";

const CHANGELOG = `# Changelog

## [Unreleased]: 0.2.0

### Added

- A thing.

## [0.1.0] - 2026-11-01

- The first.
`;

Deno.test("a release tells what has changed since the one before", () => {
  assertEquals(changesIn(CHANGELOG, "0.2.0"), "### Added\n\n- A thing.\n");
  assertEquals(changesIn(CHANGELOG, "0.1.0"), "- The first.\n");
  assertThrows(() => changesIn(CHANGELOG, "0.3.0"), Error, "no section for 0.3.0");
});
