/**
 * What is wrong with a config.ini.
 *
 * @module
 */

/** A config.ini that cannot be used; the message is one line with file, line, key, value and rule. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
