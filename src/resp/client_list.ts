/**
 * CLIENT LIST, by which a server tells of its connections; and which of them may carry keys that
 * MIGRATE sent.
 *
 * MIGRATE opens a connection of its own from the source to the target: AUTH, SELECT, RESTORE, RESTORE …
 * When it gives up, what the network still holds of that connection is carried out later, however long
 * later. Ending the connection at the target throws it away.
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

/** What MIGRATE and codis-server say to a target, besides greetings that others use as well. */
const RESTORES = new Set([
  "restore",
  "restore-asking",
  "slotsrestore",
  "slotsrestore-async",
  "slotsrestore-async-auth",
  "slotsrestore-async-select",
]);
/** All that is said on such a connection before the first key. */
const GREETINGS = new Set(["null", "auth", "select", "asking"]);

/** Reads the reply of CLIENT LIST; lines without an id are left out. */
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

/** Whether a connection has carried keys: it is MIGRATE's, at work, waiting, or given up. */
export function isRestoring(line: ClientLine): boolean {
  return RESTORES.has(line.cmd);
}

/** Whether a connection may turn out to be MIGRATE's: all it has said are greetings. */
export function mayRestore(line: ClientLine): boolean {
  return GREETINGS.has(line.cmd) && line.name === "";
}
