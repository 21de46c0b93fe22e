/**
 * Why a file could not be used, in words for operators.
 *
 * @module
 */

import { dirname } from "node:path";

/** What is said where the runtime refuses a file whatever it may do otherwise. */
export const SYSTEM_FILES = "files below /dev, /proc and /sys cannot be used";

/** The system's reason; the runtime's own refusal without its advice, which is for developers. */
export function fileFault(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) return SYSTEM_FILES;
  return error instanceof Error ? error.message : String(error);
}

/** The same of a file whose name is said beside it: the reason alone. */
export function fileReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return fileFault(error).replace(/ ?\(os error \d+\).*$|:? ?(open|readfile|stat|rename) .*$/, "");
}

/** The same of a file that is to be made. */
export function makeReason(file: string, error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return `there is no folder ${dirname(file)}`;
  return fileReason(error);
}
