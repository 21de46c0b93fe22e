/**
 * Types of those parts of the Deno standard library that the import map takes from npm, where it
 * comes without any.
 *
 * @module
 */

declare module "@std/assert" {
  // deno-lint-ignore no-explicit-any -- constructors of any parameters
  type AnyConstructor = abstract new (...args: any[]) => any;
  // deno-lint-ignore no-explicit-any -- as above
  type ErrorClass<E extends Error> = new (...args: any[]) => E;

  export class AssertionError extends Error {
    constructor(message: string, options?: ErrorOptions);
  }
  export function assert(expr: unknown, msg?: string): asserts expr;
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    msg?: string,
  ): void;
  export function assertArrayIncludes<T>(
    actual: ArrayLike<T>,
    expected: ArrayLike<T>,
    msg?: string,
  ): void;
  export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
  export function assertFalse(expr: unknown, msg?: string): asserts expr is false;
  export function assertGreater<T>(actual: T, expected: T, msg?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
  export function assertInstanceOf<T extends AnyConstructor>(
    actual: unknown,
    expectedType: T,
    msg?: string,
  ): asserts actual is InstanceType<T>;
  export function assertIsError<E extends Error = Error>(
    error: unknown,
    errorClass?: ErrorClass<E>,
    msgMatches?: string | RegExp,
    msg?: string,
  ): asserts error is E;
  export function assertLess<T>(actual: T, expected: T, msg?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;
  export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertNotInstanceOf<A, T>(
    actual: A,
    // deno-lint-ignore no-explicit-any -- as above
    unexpectedType: abstract new (...args: any[]) => T,
    msg?: string,
  ): asserts actual is Exclude<A, T>;
  export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertObjectMatch(
    actual: Record<PropertyKey, unknown>,
    expected: Record<PropertyKey, unknown>,
    msg?: string,
  ): void;
  export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    errorClass: ErrorClass<E>,
    msgIncludes?: string,
    msg?: string,
  ): Promise<E>;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    msg?: string,
  ): asserts actual is T;
  export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
  export function assertThrows(fn: () => unknown, msg?: string): unknown;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    errorClass: ErrorClass<E>,
    msgIncludes?: string,
    msg?: string,
  ): E;
  export function equal(a: unknown, b: unknown): boolean;
  export function fail(msg?: string): never;
  export function unimplemented(msg?: string): never;
  export function unreachable(msg?: string): never;
}

declare module "@std/async/delay" {
  /** What ends a delay early, and whether it keeps the process running. */
  export interface DelayOptions {
    readonly signal?: AbortSignal;
    /** Whether the timer keeps the process running. @default true */
    readonly persistent?: boolean;
  }
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when the signal aborts. */
  export function delay(ms: number, options?: DelayOptions): Promise<void>;
}

declare module "@std/bytes/concat" {
  /** Copies all slices, in order, into one new array. */
  export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
}

declare module "@std/cli/parse-args" {
  /** How the words of a command line are read. */
  export interface ParseOptions {
    readonly "--"?: boolean;
    readonly alias?: Readonly<Record<string, string | readonly string[]>>;
    readonly boolean?: boolean | string | readonly string[];
    readonly collect?: string | readonly string[];
    readonly default?: Readonly<Record<string, unknown>>;
    readonly negatable?: string | readonly string[];
    readonly stopEarly?: boolean;
    readonly string?: string | readonly string[];
    readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  }
  /** The flags by name, and in `_` what is none. */
  export interface Args {
    // deno-lint-ignore no-explicit-any -- what a flag holds depends on the options
    [flag: string]: any;
    _: (string | number)[];
    "--"?: string[];
  }
  export function parseArgs(args: readonly string[], options?: ParseOptions): Args;
}

declare module "@std/collections/chunk" {
  /** Splits an array into arrays of `size` elements, the last of which may be shorter. */
  export function chunk<T>(array: readonly T[], size: number): T[][];
}

declare module "@std/crypto/timing-safe-equal" {
  /**
   * Compares in a time that does not depend on where the bytes differ.
   *
   * @throws {TypeError} When the lengths differ.
   */
  export function timingSafeEqual(
    a: Uint8Array | ArrayBuffer,
    b: Uint8Array | ArrayBuffer,
  ): boolean;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(str1: string, str2: string): number;
}

declare module "@std/toml/parse" {
  export function parse(tomlString: string): Record<string, unknown>;
}

declare module "@std/yaml/parse" {
  /** How a document is read. */
  export interface ParseOptions {
    readonly schema?: "core" | "default" | "failsafe" | "json" | "extended";
    readonly allowDuplicateKeys?: boolean;
  }
  export function parse(content: string, options?: ParseOptions): unknown;
}
