/**
 * What a unit is run against: a redis-server, or the proxy before two of them, as users start it.
 *
 * @module
 */

import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { SlotMover } from "./slot_mover.ts";

/** The three ways in which units are run. */
export type Way = "direct" | "proxy" | "migrating";

/** What listens to a unit's commands. */
export interface Target extends AsyncDisposable {
  readonly port: number;
  /** What it wrote, for a look when something went wrong. */
  readonly log: () => string;
  /** Slots that changed hands so far. */
  readonly slotsMoved: () => number;
  /** What went wrong outside of tests. */
  readonly failure: () => string | undefined;
}

const START_LIMIT_MS = 60_000;
/** What a user of the suite would set: its tests change what servers are set to. */
const CONFIG = { server_commands: "on", undeclared_keys: "allow" };

/** Users of a target's configuration, in the form of redis.conf; empty for none. */
export interface TargetUsers {
  readonly aclFile: string;
  /** A name and its rules. */
  readonly user: string;
  readonly pubsubDefault: string;
}

const NO_USERS: TargetUsers = { aclFile: "", user: "", pubsubDefault: "" };

/** The users as arguments of redis-server. */
function userArguments({ aclFile, user, pubsubDefault }: TargetUsers): string[] {
  return [
    ...(aclFile === "" ? [] : ["--aclfile", aclFile]),
    ...(user === "" ? [] : ["--user", ...user.split(" ")]),
    ...(pubsubDefault === "" ? [] : ["--acl-pubsub-default", pubsubDefault]),
    ...["--enable-debug-command", "yes"],
  ];
}

/** The users as lines of config.ini, which has no acl-pubsub-default. */
function userLines({ aclFile, user }: TargetUsers): Record<string, string> {
  const [name, ...rules] = user.split(" ");
  return {
    ...(aclFile === "" ? {} : { aclfile: aclFile }),
    ...(user === "" ? {} : { [`user.${name}`]: rules.join(" ") }),
  };
}

/** Starts new servers with nothing in them. */
export async function startTarget(
  way: Way,
  cpu: number,
  users: TargetUsers = NO_USERS,
): Promise<Target> {
  await using owned = new AsyncDisposableStack();
  const isDirect = way === "direct";
  const args = isDirect ? userArguments(users) : [];
  const servers = owned.use(await RedisServer.startMany(isDirect ? 1 : 2, { args }));
  if (isDirect) {
    const own = owned.move();
    return {
      port: servers[0]!.port,
      log: () => "",
      slotsMoved: () => 0,
      failure: () => undefined,
      [Symbol.asyncDispose]: () => own.disposeAsync(),
    };
  }
  const proxy = owned.use(
    await ProxyProcess.start({
      servers,
      cpu,
      startTimeoutMs: START_LIMIT_MS,
      config: { ...CONFIG, ...userLines(users) },
    }),
  );
  const mover = way === "migrating" ? owned.use(new SlotMover(proxy.url(""))) : undefined;
  await mover?.hasBegun();
  const own = owned.move();
  return {
    port: proxy.port,
    log: () => `${proxy.stdout}${proxy.stderr}`,
    slotsMoved: () => mover?.slotsMoved ?? 0,
    failure: () => proxy.child.hasEnded ? "the proxy ended" : mover?.failure,
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}
