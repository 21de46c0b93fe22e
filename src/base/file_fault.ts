/**
 * Why a file could not be used, in words for operators.
 *
 * @module
 */

/** The system's reason; the runtime's own refusal without its advice, which is for developers. */
export function fileFault(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "the runtime uses no files there, as below /proc, /sys and /dev: name another place";
  }
  return error instanceof Error ? error.message : String(error);
}
