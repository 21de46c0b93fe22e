/**
 * The page offers a user exactly what the dashboard lets him do.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { ClusterView } from "../../../../src/api/cluster_view.ts";
import { API_TABLE } from "../../../../src/dashboard/api/api.ts";
import { findRoute } from "../../../../src/dashboard/api/route.ts";
import { ACTIONS } from "../../../../src/dashboard/page/actions.js";
import {
  isOperator,
  mayDo,
  noteLogout,
  noteRefusal,
  noteView,
  wasLoggedIn,
} from "../../../../src/dashboard/page/who.js";
import { isRoleEnough, ROLES } from "../../../../src/model/dashboard_user.ts";

function viewOf(you: ClusterView["you"], needsLogin: boolean): ClusterView {
  return { you, dashboard: { needs_token: needsLogin, has_users: needsLogin } } as ClusterView;
}

Deno.test("each action is offered to the roles that its route lets in", () => {
  const values = { id: "1", group: "1", addr: "a:1", name: "x", from: "0", to: "1", by: "keep" };
  for (const role of ROLES) {
    noteView(viewOf({ name: "x", role, kind: "user" }, true));
    for (const [name, action] of Object.entries(ACTIONS)) {
      const { method, path } = action.request(values);
      const found = findRoute(API_TABLE, method, new URL(path, "http://here/"));
      assert(found !== undefined && "route" in found, `${name}: ${method} ${path}`);
      const needed = found.route.role;
      assert(needed !== "anyone");
      assertEquals(mayDo(name), isRoleEnough(role, needed), `${name} as ${role}`);
    }
  }
});

Deno.test("who has not logged in yet is offered everything, and asked to log in then", () => {
  noteRefusal(true, "log in");
  assertEquals(mayDo("add_user"), true);
  noteView(viewOf({ name: "this machine", role: "viewer", kind: "place" }, true));
  assertEquals(mayDo("migrate"), true);
});

Deno.test("a user is told that his session has ended, whoever heard of it first, until somebody logs in", () => {
  noteView(viewOf({ name: "x", role: "viewer", kind: "user" }, true));
  noteRefusal(true, "log in on the page /admin");
  noteRefusal(true, "log in on the page /admin");
  assertEquals(wasLoggedIn(), true);
  noteView(viewOf({ name: "x", role: "viewer", kind: "user" }, true));
  assertEquals(wasLoggedIn(), false);
  noteLogout();
  noteRefusal(true, "log in on the page /admin");
  assertEquals(wasLoggedIn(), false);
  noteRefusal(true, "the session has ended: log in again");
  assertEquals(wasLoggedIn(), true);
});

Deno.test("slow requests are asked for by the roles that their route lets in", () => {
  const found = findRoute(API_TABLE, "GET", new URL("api/slowlog", "http://here/"));
  assert(found !== undefined && "route" in found && found.route.role !== "anyone");
  for (const role of ROLES) {
    noteView(viewOf({ name: "x", role, kind: "user" }, true));
    assertEquals(isOperator(), isRoleEnough(role, found.route.role), role);
  }
});
