/**
 * Reads CLIENT LIST, the list of a server's connections, and finds those that may carry keys of MIGRATE.
 *
 * MIGRATE opens its own connection from the source to the target: AUTH, SELECT, RESTORE, RESTORE …
 * When it gives up, the target still executes what the network holds of that connection, at any later
 * time. Closing the connection at the target prevents this.
 *
 * @module
 */

/** One connection to a server. */
export interface ClientLine {
  /** Counts up with every connection that the server accepts. */
  readonly id: number;
  /** As set by CLIENT SETNAME; MIGRATE's connections have none. */
  readonly name: string;
  /** The last command, lower case; `null` before the first. */
  readonly cmd: string;
  readonly ageSeconds: number;
}

/** Commands that only MIGRATE and codis-server send to a target. */
const RESTORES = new Set([
  "restore",
  "restore-asking",
  "slotsrestore",
  "slotsrestore-async",
  "slotsrestore-async-auth",
  "slotsrestore-async-select",
]);
/** Commands on such a connection before the first key; other clients send them, too. */
const GREETINGS = new Set(["null", "auth", "select", "asking"]);

/** Every field of a line of CLIENT LIST, `name=value name=value`. */
export function clientFields(line: string): Record<string, string> {
  return namedFields(line.trim(), " ");
}

/** The fields of a text like `calls=1,usec=2`. */
export function namedFields(text: string, separator: string): Record<string, string> {
  return Object.fromEntries(
    text.split(separator).map((part) => {
      const equals = part.indexOf("=");
      return [part.slice(0, equals), part.slice(equals + 1)];
    }).filter(([name]) => name !== ""),
  );
}

/** Reads the reply of CLIENT LIST; skips lines without an id. */
export function parseClientList(text: string): ClientLine[] {
  return text.split("\n").flatMap((line) => {
    const field = (name: string) => new RegExp(`(?:^| )${name}=(\\S*)`).exec(line)?.[1] ?? "";
    const id = field("id");
    if (!/^\d+$/.test(id)) return [];
    const ageSeconds = Number(field("age") || "0");
    return [{ id: Number(id), name: field("name"), cmd: field("cmd").toLowerCase(), ageSeconds }];
  });
}

/** The newest connection's id; 0 when there is none. */
export function newestId(lines: readonly ClientLine[]): number {
  return lines.reduce((newest, { id }) => Math.max(newest, id), 0);
}

/** Whether a connection has carried keys of MIGRATE: active, waiting or given up. */
export function isRestoring(line: ClientLine): boolean {
  return RESTORES.has(line.cmd);
}

/** Whether a connection may be MIGRATE's: so far it has sent nothing that shows otherwise. */
export function mayRestore(line: ClientLine): boolean {
  return GREETINGS.has(line.cmd) && line.name === "";
}
