/**
 * The actions on users that Redis clients log in as.
 *
 * @module
 */

/** @import { Action, Field, Values } from "./actions.js" */

const LIMIT_MAX = 1_000_000_000;
/** What takes away all that rules have given, but passwords. */
const FROM_NOTHING = ["resetkeys", "resetchannels", "-@all", "clearselectors"];

/** @type {Field} */
const RULES = {
  name: "rules",
  label: "Rules",
  kind: "text",
  hint: "as for ACL SETUSER, such as ~app:* &app:* +@all -@dangerous",
};

/** @type {Field} */
const PASSWORD = {
  name: "password",
  label: "Password",
  kind: "password",
  isLeftOut: ({ login }) => login !== "password",
};

/**
 * @param {readonly (readonly [value: string, text: string])[]} choices
 * @returns {Field}
 */
function loginField(choices) {
  return { name: "login", label: "Logs in", kind: "choice", choices: () => choices };
}

/** @type {readonly (readonly [value: string, text: string])[]} */
const LOGINS = [
  ["password", "with a new password"],
  ["nopass", "without a password"],
  ["off", "not at all"],
];

/** @type {Readonly<Record<string, readonly string[]>>} */
const LOGIN_RULES = {
  keep: [],
  on: ["on"],
  password: ["on"],
  nopass: ["on", "nopass"],
  off: ["off"],
};

/**
 * @param {Values} values
 * @param {readonly string[]} first
 */
function bodyOf({ login, rules, password }, first) {
  const words = String(rules).split(/\s+/).filter((word) => word !== "");
  return {
    rules: [...first, ...LOGIN_RULES[String(login)] ?? [], ...words],
    ...login === "password" ? { password } : {},
  };
}

/** @param {Values} values */
function userProblem({ login, password, rules }) {
  if (/(^|\s)[<>#!]/.test(String(rules))) {
    return "Passwords are not among the rules: use the field.";
  }
  return login === "password" && (password ?? "") === "" ? "The password is empty." : "";
}

/** @param {Values} values */
function pathOf({ name }) {
  return `api/redis_users/${encodeURIComponent(String(name).trim())}`;
}

const EVERYWHERE =
  "This is in force at all proxies when it is done; an error names those that have not " +
  "confirmed.";

/** @param {string} name @param {string} label @param {string} hint @returns {Field} */
function limitField(name, label, hint) {
  return { name, label, kind: "number", least: 0, most: LIMIT_MAX, hint };
}

/** @type {Readonly<Record<string, Action>>} */
export const REDIS_USER_ACTIONS = {
  add_redis_user: {
    title: () => "Add Redis user",
    verb: "Add Redis user",
    fields: [
      { name: "name", label: "Name", kind: "text", hint: "no spaces" },
      loginField(LOGINS),
      PASSWORD,
      RULES,
    ],
    start: () => ({ login: "password", rules: "~* &* +@all -@dangerous" }),
    words: ({ name }) => [
      `Redis clients can log in as ${name}, with AUTH ${name} and the password. If there is a user of ` +
      "this name, it is replaced.",
      EVERYWHERE,
    ],
    problem: userProblem,
    request: (values) => ({ method: "PUT", path: pathOf(values), body: bodyOf(values, ["reset"]) }),
    done: ({ name }) => `Redis user ${name} is in force.`,
  },
  set_redis_user: {
    title: ({ name }) => `Change Redis user ${name}`,
    verb: "Change",
    fields: [
      loginField([["keep", "as it is"], ["on", "with the passwords that it has"], ...LOGINS]),
      PASSWORD,
      RULES,
    ],
    words: ({ name }) => [
      `Clients of ${name} stay connected; the rules count from their next request on.`,
      EVERYWHERE,
    ],
    problem: userProblem,
    request: (values) => ({
      method: "PUT",
      path: pathOf(values),
      body: bodyOf(values, FROM_NOTHING),
    }),
    done: ({ name }) => `Redis user ${name} was changed.`,
  },
  limit_redis_user: {
    title: ({ name }) => `Limit Redis user ${name}`,
    verb: "Limit",
    fields: [
      limitField("requests", "Requests per second", "0: no limit"),
      limitField("bytes", "Bytes per second", "of requests and replies; 0: no limit"),
      limitField("connections", "Connections", "0: no limit"),
    ],
    words: ({ name }) => [
      `Each proxy counts for itself, over all clients of ${name}. Those above requests or bytes are slowed ` +
      "down, and get errors after 5 s. A login above connections is refused.",
    ],
    request: (values) => ({
      method: "PUT",
      path: `${pathOf(values)}/limits`,
      body: {
        requests_per_second: Number(values.requests),
        bytes_per_second: Number(values.bytes),
        connections: Number(values.connections),
      },
    }),
    done: ({ name }) => `Limits of Redis user ${name} were changed.`,
  },
  reads_of_redis_user: {
    title: ({ name }) => `Reads of Redis user ${name}`,
    verb: "Change",
    fields: [{
      name: "read_from",
      label: "Reads from",
      kind: "choice",
      choices: () => [
        ["", "as each proxy's configuration says"],
        ["master", "the master"],
        ["prefer_master", "the master, a replica while it is down"],
        ["prefer_replica", "a replica, the master while none can serve"],
        ["replica", "a replica only"],
        ["nearest", "the nearest server"],
      ],
    }],
    words: ({ name }) => [
      `This is for all clients of ${name}, but not for those that have sent READONLY or READWRITE.`,
      EVERYWHERE,
    ],
    request: (values) => ({
      method: "PUT",
      path: `${pathOf(values)}/read_from`,
      body: { read_from: String(values.read_from) },
    }),
    done: ({ name }) => `Reads of Redis user ${name} were changed.`,
  },
  delete_redis_user: {
    title: ({ name }) => `Delete Redis user ${name}`,
    verb: "Delete",
    isRisky: true,
    words: ({ name }) => [`Clients of ${name} are disconnected, and cannot log in any more.`],
    request: ({ name }) => ({
      method: "POST",
      path: "api/redis_users/delete",
      body: { names: [String(name)] },
    }),
    done: ({ name }) => `Redis user ${name} was deleted.`,
  },
};
