/**
 * The users have changed: what becomes of the clients that are logged in.
 *
 *      user deleted, or all loaded anew ─► closed; who asked for it gets the answer first
 *      rules changed ─┬─ subscribed to what is not allowed any more ─► closed
 *                     └─ else ─► the new rules count from its next request on
 *
 * @module
 */

import type { Selector } from "../../acl/selector.ts";
import { DEFAULT_USER, type User } from "../../acl/user.ts";
import type { UsersUpdate } from "../../acl/users.ts";
import { mayHaveLostChannels, mayStaySubscribed } from "../../acl/verdict.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { RouterShared } from "../shared.ts";
import type { Session } from "./session.ts";

/** Takes users over that were changed, for all sessions of a router. */
export function updateUsers(
  shared: RouterShared,
  sessions: Iterable<Session>,
  update: UsersUpdate,
): void {
  const { users } = shared;
  const before = new Map<User, readonly Selector[]>();
  for (const { name } of update.changed) {
    const user = users.get(name);
    if (user !== undefined) before.set(user, user.selectors);
  }
  users.update(update);
  for (const session of [...sessions]) {
    const { user } = session;
    const isGone = users.get(user.name) !== user || (update.isReload && user.name !== DEFAULT_USER);
    session.userChanged();
    if (isGone) end(session, update);
    else if (hasLostChannels(session, before.get(user))) end(session, update);
  }
}

function end(session: Session, { by }: UsersUpdate): void {
  session.logOut();
  if (session.id === by) session.drain();
  else session.close();
}

function hasLostChannels(session: Session, before: readonly Selector[] | undefined): boolean {
  const { subscriptions, user } = session;
  if (before === undefined || subscriptions === null) return false;
  if (!mayHaveLostChannels(before, user.selectors)) return false;
  return !subscriptions.every((name, isPattern) =>
    mayStaySubscribed(user, latin1Bytes(name), isPattern)
  );
}
