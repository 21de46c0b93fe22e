/**
 * Opens a link for a client, and waits a while for a connection where a server has lent as many as it may.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import type { BudgetWaiter } from "../client/byte_budget.ts";
import { privateConnectionsSpent } from "../errors.ts";
import type { RouterOptions } from "../options.ts";
import { Link, type LinkHolder, type LinkServer, type LinkUser } from "./link.ts";

/** A server that lends connections, and can be waited for. */
export interface LendingServer extends LinkServer {
  readonly options: Pick<
    RouterOptions,
    "backendDialMs" | "privateConnectionsMax" | "privateConnectionsOfAll"
  >;
  /** Clients that waited in vain. */
  privateRefusals: number;
  leavePrivateQueue(waiter: BudgetWaiter): void;
}

/**
 * Gives a client a link to a server, now or within backendDialMs.
 *
 * @param done Called once: with the link, or with the reason why there is none, as an error text.
 * @returns Ends the wait; `done` is not called any more.
 */
export function openLink(
  server: LendingServer,
  database: number,
  protocol: Protocol,
  holder: LinkHolder,
  user: LinkUser,
  done: (link: Link | null, error: string) => void,
): () => void {
  const { options } = server;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const end = (link: Link | null, error: string) => {
    isOver = true;
    clearTimeout(timer);
    server.leavePrivateQueue(waiter);
    done(link, error);
  };
  const attempt = () => {
    if (isOver) return;
    const link = Link.open(server, database, protocol, holder, user, waiter);
    if (link !== null) end(link, "");
    else {
      timer ??= setTimeout(() => {
        server.privateRefusals++;
        end(null, privateConnectionsSpent(server.address, options));
      }, options.backendDialMs);
    }
  };
  const waiter: BudgetWaiter = { resume: attempt };
  attempt();
  return () => {
    isOver = true;
    clearTimeout(timer);
    server.leavePrivateQueue(waiter);
  };
}
