/**
 * Who uses the page, as the dashboard has last said, and what he may do.
 *
 * @module
 */

/** @import { ClusterView, YouView } from "../../api/cluster_view.ts" */

/** Actions that need the role admin; all others need operator. */
const ADMIN_ACTIONS = [
  ...["remove_group", "remove_server", "init_slots", "remove_fences", "remove_locks"],
  ...["add_redis_user", "set_redis_user", "limit_redis_user", "reads_of_redis_user"],
  "delete_redis_user",
  ...["add_sentinel", "remove_sentinel"],
  ...["add_user", "set_user", "remove_user", "add_token", "remove_token"],
];

/** Actions of every user on himself. */
const OWN_ACTIONS = ["change_password"];

/** @type {YouView | undefined} */
let you;
let needsLogin = false;
let hasUsers = false;
let hasSessionEnded = false;

/** What the dashboard says of a session that has ended, once: then the cookie is gone. */
const SESSION_ENDED = "the session has ended";

/**
 * Notes what an answer says.
 *
 * @param {ClusterView} view
 */
export function noteView(view) {
  you = view.you;
  needsLogin = view.dashboard.needs_token;
  hasUsers = view.dashboard.has_users;
  hasSessionEnded = false;
}

/**
 * Notes that nothing is answered without a login.
 *
 * @param {boolean} isByName Whether people log in with a name and a password.
 * @param {string} problem The dashboard's text.
 */
export function noteRefusal(isByName, problem) {
  // What else the page asks for may have been told of the end before.
  hasSessionEnded ||= you?.kind === "user" || problem.startsWith(SESSION_ENDED);
  you = undefined;
  needsLogin = true;
  hasUsers = isByName;
}

/** Notes that the user logs out himself. */
export function noteLogout() {
  you = undefined;
  hasSessionEnded = false;
}

/** Whether somebody was logged in until the dashboard ended the session. */
export function wasLoggedIn() {
  return hasSessionEnded;
}

/** Whether people log in with a name and a password. */
export function areThereUsers() {
  return hasUsers;
}

/** The user or the token that is logged in; `undefined`: none. */
export function loggedIn() {
  return you === undefined || you.kind === "place" ? undefined : you;
}

/** Whether a change needs a login first. */
export function isLoginNeeded() {
  return needsLogin && loggedIn() === undefined;
}

/** Whether users and tokens may be seen and changed. */
export function isAdmin() {
  return you?.role === "admin";
}

/** Whether what clients have sent may be seen. */
export function isOperator() {
  return you?.role === "operator" || isAdmin();
}

/**
 * Whether the user may carry an action out; one who has not logged in yet may, after that.
 *
 * @param {string} name
 */
export function mayDo(name) {
  if (you === undefined || isLoginNeeded()) return true;
  if (OWN_ACTIONS.includes(name)) return you.kind === "user";
  return you.role === "admin" || (you.role === "operator" && !ADMIN_ACTIONS.includes(name));
}
