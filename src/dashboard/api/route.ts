/**
 * A route of the API: method, path, what it needs, and the function that answers it.
 *
 * @module
 */

import { InputError } from "../../control/errors.ts";
import type { Role } from "../../model/dashboard_user.ts";
import type { Identity } from "../access/identity.ts";
import type { Dashboard } from "../dashboard.ts";

/** The methods that routes have. */
type Method = "GET" | "POST" | "PUT" | "DELETE";

/** The names of the `:words` of a path. */
type WordsOf<P extends string> = P extends `${string}:${infer Name}/${infer Rest}`
  ? Name | WordsOf<Rest>
  : P extends `${string}:${infer Name}` ? Name
  : never;

/** A request on its way to the route that answers it. */
export interface Call<Word extends string = never> {
  readonly dashboard: Dashboard;
  readonly request: Request;
  readonly url: URL;
  /** The address that it came from, without port. */
  readonly remote: string;
  /** The address of its client, where another dashboard has passed it on and proved that. */
  readonly client: string | undefined;
  /** Who sends it. */
  readonly who: Identity;
  /** Further headers of the answer. */
  readonly answerHeaders: Headers;
  /** What the audit trail says, where the route knows better. */
  readonly note: { who?: string; arguments?: string; isDryRun?: boolean };
  /** What stands in the request's path for the `:words` of the route's path, decoded. */
  readonly words: Readonly<Record<Word, string>>;
}

/** One row of the tables of routes. */
export interface ApiRoute {
  readonly method: Method;
  /** A `:word` stands for anything but nothing and `/`. */
  readonly path: string;
  /** Finds the words of a whole path. */
  readonly match: (pathname: string) => Readonly<Record<string, string | undefined>> | undefined;
  /** Whether it changes anything: when it returns nothing, the answer is Codis 2.0's OK. */
  readonly changes: boolean;
  /** The least role of the sender; `anyone`: no login is needed. */
  readonly role: Role | "anyone";
  /** Whether only the dashboard that leads can answer. */
  readonly needsLead: boolean;
  /** Resolves with the document of the answer, or with nothing. */
  readonly answer: (call: Call<string>) => Promise<unknown>;
}

type Answer<P extends string> = (call: Call<WordsOf<P>>) => Promise<unknown>;

function route<P extends string>(
  method: Method,
  path: P,
  answer: Answer<P>,
  needs: Pick<ApiRoute, "changes" | "role" | "needsLead">,
): ApiRoute {
  return { method, path, match: matcherOf(path), answer: answer as ApiRoute["answer"], ...needs };
}

/** Matches the same path from which the type of the words is made. */
function matcherOf(path: string): ApiRoute["match"] {
  const [start] = path.split(":") as [string];
  if (start === path) return (pathname) => pathname === path ? {} : undefined;
  // A pattern takes a millisecond to make: at the start of a proxy, all of them would take 100.
  let pattern: URLPattern | undefined;
  return (pathname) => {
    if (!pathname.startsWith(start)) return undefined;
    pattern ??= new URLPattern({ pathname: path });
    return pattern.exec({ pathname })?.pathname.groups;
  };
}

/** Reads what is stored: any dashboard can answer. */
export function read<P extends string>(
  path: P,
  answer: Answer<P>,
  role: Role = "viewer",
): ApiRoute {
  return route("GET", path, answer, { changes: false, role, needsLead: false });
}

/** Reads what only the dashboard that leads knows. */
export function readMonitored<P extends string>(path: P, answer: Answer<P>): ApiRoute {
  return route("GET", path, answer, { changes: false, role: "viewer", needsLead: true });
}

/** Reads what keeps a Redis server busy, so the sender must be allowed to change things. */
export function readCostly<P extends string>(path: P, answer: Answer<P>): ApiRoute {
  return route("GET", path, answer, { changes: false, role: "operator", needsLead: true });
}

/** Changes the cluster, or who may. */
export function change<P extends string>(
  method: Method,
  path: P,
  answer: Answer<P>,
  role: ApiRoute["role"] = "operator",
): ApiRoute {
  return route(method, path, answer, { changes: true, role, needsLead: true });
}

/** Changes this process: a dashboard that stands by can do so, too. */
export function changeHere<P extends string>(
  method: Method,
  path: P,
  answer: Answer<P>,
  role: ApiRoute["role"],
): ApiRoute {
  return route(method, path, answer, { changes: true, role, needsLead: false });
}

/**
 * As {@linkcode change}, by GET as in Codis 2.0, for its tools, and by POST for browsers, which may change
 * nothing by GET.
 */
export function changeByGet<P extends string>(
  path: P,
  answer: Answer<P>,
  role: Role = "operator",
): ApiRoute[] {
  return [change("GET", path, answer, role), change("POST", path, answer, role)];
}

/**
 * Finds the route of a request.
 *
 * @returns The route and its words; the methods that the path has, when it has others; nothing when it
 * has none.
 * @throws {InputError} When a word is not percent-encoded UTF-8.
 */
export function findRoute(
  routes: readonly ApiRoute[],
  method: string,
  url: URL,
): { route: ApiRoute; words: Record<string, string> } | { allow: string } | undefined {
  const { pathname } = url;
  const allowed = new Set<string>();
  for (const each of routes) {
    const words = each.match(pathname);
    if (words === undefined) continue;
    if (each.method === method) return { route: each, words: decodeWords(words) };
    allowed.add(each.method);
  }
  return allowed.size === 0 ? undefined : { allow: [...allowed].join(", ") };
}

function decodeWords(groups: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(groups).map(([name, text = ""]) => [name, decodeWord(text)]),
  );
}

function decodeWord(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InputError("path", "percent-encoded UTF-8", text);
  }
}
