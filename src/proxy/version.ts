/**
 * What this program calls itself.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };

/** The program's version, from deno.json. */
export const VERSION: string = manifest.version;

/** What it was built with, in the place where Go prints compiler and platform. */
export const COMPILED =
  `deno ${Deno.version.deno} v8 ${Deno.version.v8} ${Deno.build.os}/${Deno.build.arch}`;
