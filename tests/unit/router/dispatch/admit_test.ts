/**
 * What the gate guarantees: each reason to refuse a request, in order, whether the request is whole or
 * still arriving.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { User } from "../../../../src/acl/user.ts";
import { findCommand } from "../../../../src/command/command_table.ts";
import { admit, type AdmittedClient } from "../../../../src/router/dispatch/admit.ts";
import { argumentsOfLine } from "../../../support/arguments.ts";
import { testOptions } from "../../../support/router_server.ts";

/** What of a client and its router decides. */
interface Circumstances {
  readonly isAuthenticated?: boolean;
  readonly isLoading?: boolean;
  readonly refusal?: string;
  readonly destructiveCommands?: boolean;
  readonly serverCommands?: boolean;
  readonly clusterMode?: boolean;
  readonly isBefore7?: boolean;
}

function clientIn(circumstances: Circumstances): AdmittedClient {
  const { destructiveCommands = true, serverCommands = false, clusterMode = false } = circumstances;
  return {
    isAuthenticated: circumstances.isAuthenticated ?? true,
    user: User.byDefault([]),
    shared: {
      options: testOptions({ destructiveCommands, serverCommands, clusterMode }),
      isLoading: circumstances.isLoading ?? false,
      refusal: circumstances.refusal ?? "",
      version: { isBefore7: circumstances.isBefore7 ?? false },
    } as AdmittedClient["shared"],
  };
}

/** The answer to a request of which these words have arrived, and `count` are announced. */
function answerTo(line: string, circumstances: Circumstances = {}, count?: number): string {
  const args = argumentsOfLine(line);
  return admit(clientIn(circumstances), findCommand(args), args, count ?? args.count);
}

Deno.test("a request of any kind is let through when nothing speaks against it", () => {
  for (
    const line of [
      "GET k",
      "MGET a b",
      "DBSIZE",
      "FLUSHALL",
      "PING",
      "CLIENT ID",
      "XREAD STREAMS s 0",
    ]
  ) {
    assertEquals(answerTo(line), "", line);
  }
});

Deno.test("a request that is not known, too short or too long is refused before AUTH is asked for", () => {
  const stranger = { isAuthenticated: false };
  assertEquals(
    answerTo("NOSUCH a", stranger),
    "ERR unknown command 'NOSUCH', with args beginning with: 'a' ",
  );
  assertEquals(answerTo("GET", stranger), "ERR wrong number of arguments for 'get' command");
  assertEquals(answerTo("GET a b", stranger), "ERR wrong number of arguments for 'get' command");
  assertEquals(
    answerTo("CONFIG NOSUCH x", stranger),
    "ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP.",
  );
});

Deno.test("before AUTH only what AUTH needs is let through, whole requests and arriving ones alike", () => {
  const stranger = { isAuthenticated: false };
  for (const line of ["AUTH secret", "HELLO 3", "QUIT"]) assertEquals(answerTo(line, stranger), "");
  const noAuth = "NOAUTH Authentication required.";
  for (const line of ["GET k", "MSET a 1", "FLUSHALL", "PING", "SUBSCRIBE c"]) {
    assertEquals(answerTo(line, stranger), noAuth, line);
  }
  assertEquals(answerTo("SET k", stranger, 3), noAuth, "the value is still arriving");
});

Deno.test("what is announced counts, not what has arrived", () => {
  assertEquals(answerTo("SET k", {}, 3), "");
  assertEquals(answerTo("GET k", {}, 3), "ERR wrong number of arguments for 'get' command");
});

Deno.test("servers before Redis 7 are sent no more arguments than they take", () => {
  const many = 1024 * 1024 + 1;
  assertEquals(answerTo("MGET a", {}, many), "");
  assertEquals(
    answerTo("MGET a", { isBefore7: true }, many),
    `ERR request of ${many} arguments: servers before Redis 7 take ${many - 1}`,
  );
});

Deno.test("commands that are never allowed are refused, also while no table is there", () => {
  const refused = answerTo("REPLICAOF h 1");
  assertEquals(refused.startsWith("ERR "), true, refused);
  assertEquals(answerTo("REPLICAOF h 1", { isLoading: true, refusal: "LOADING" }), refused);
});

Deno.test("destructive commands are refused where they are switched off, for that reason first", () => {
  const off = { destructiveCommands: false, refusal: "LOADING" };
  for (const line of ["FLUSHALL", "FLUSHDB", "SCRIPT FLUSH", "FUNCTION FLUSH"]) {
    assertEquals(
      answerTo(line, off),
      `ERR handle request, command '${line}' is not allowed: ` +
        "destructive_commands is off in the proxy's configuration",
    );
  }
  assertEquals(answerTo("DEL k", { destructiveCommands: false }), "");
});

Deno.test("CLUSTER needs cluster_mode, and changes of a cluster are refused in it, too", () => {
  const disabled = "ERR This instance has cluster support disabled";
  for (const line of ["CLUSTER SLOTS", "ASKING", "CLUSTER MYID", "CLUSTER MEET h 1"]) {
    assertEquals(answerTo(line), disabled);
    assertEquals(answerTo(line, { isLoading: true, refusal: "LOADING" }), disabled);
  }
  assertEquals(answerTo("CLUSTER SLOTS", { clusterMode: true }), "");
  assertEquals(
    answerTo("CLUSTER MEET h 1", { clusterMode: true }),
    "ERR handle request, command 'CLUSTER MEET' is not allowed: the nodes are the proxies that are online, " +
      "and the slots are dealt out among them",
  );
});

Deno.test("commands that change servers need server_commands, and a table that is not in doubt", () => {
  for (const line of ["CONFIG SET hz 10", "SWAPDB 0 1", "BGSAVE", "DEBUG SLEEP 0"]) {
    assertEquals(
      answerTo(line).endsWith("server_commands is off in the proxy's configuration"),
      true,
    );
    assertEquals(answerTo(line, { serverCommands: true }), "");
    assertEquals(answerTo(line, { serverCommands: true, refusal: "ERR in doubt" }), "ERR in doubt");
  }
  for (const line of ["CONFIG GET hz", "SLOWLOG GET", "ROLE"]) assertEquals(answerTo(line), "");
});

Deno.test("while the table is in doubt nothing is sent, and what we answer ourselves goes on", () => {
  const inDoubt = { refusal: "ERR in doubt" };
  for (const line of ["GET k", "MGET a b", "DBSIZE", "XREAD BLOCK 0 STREAMS s 0"]) {
    assertEquals(answerTo(line, inDoubt), "ERR in doubt", line);
  }
  for (const line of ["PING", "INFO", "CLIENT ID"]) assertEquals(answerTo(line, inDoubt), "", line);
});

Deno.test("while there is no table only what Redis answers while it loads is answered", () => {
  const loading = { isLoading: true, refusal: "LOADING no table" };
  for (const line of ["INFO", "AUTH x", "SLOTSMAPPING"]) assertEquals(answerTo(line, loading), "");
  for (const line of ["PING", "GET k", "DBSIZE"]) {
    assertEquals(answerTo(line, loading), "LOADING no table", line);
  }
});

Deno.test("commands that block are let through", () => {
  for (const line of ["XREAD COUNT 1 STREAMS s 0", "XREAD BLOCK 0 STREAMS s 0", "BLPOP a 0"]) {
    assertEquals(answerTo(line), "", line);
  }
});
