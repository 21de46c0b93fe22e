/**
 * The actions on users of the dashboard and on API tokens.
 *
 * @module
 */

/** @import { Action, Field } from "./actions.js" */

/** Seconds of a day. */
const DAY_S = 86_400;
/** Shortest password, in characters. */
const PASSWORD_MIN = 8;

/** @type {readonly (readonly [value: string, text: string])[]} */
const ROLES = [
  ["viewer", "viewer: sees everything"],
  ["operator", "operator: changes the cluster, too"],
  ["admin", "admin: everything"],
];

/** @type {Field} */
const ROLE = { name: "role", label: "Role", kind: "choice", choices: () => ROLES };

/** @type {Field} */
const NAME = {
  name: "name",
  label: "Name",
  kind: "text",
  hint: "letters, digits and . _ @ -",
};

/** @type {readonly Field[]} */
const PASSWORDS = [
  {
    name: "password",
    label: "Password",
    kind: "password",
    hint: `at least ${PASSWORD_MIN} characters`,
  },
  { name: "again", label: "Password again", kind: "password" },
];

/**
 * Whether the password stays as it is.
 *
 * @param {Readonly<Record<string, string | boolean>>} values
 */
function isKept({ renews }) {
  return renews !== true;
}

/**
 * @param {string | boolean | undefined} password
 * @param {string | boolean | undefined} again
 */
function passwordProblem(password, again) {
  if ([...String(password ?? "")].length < PASSWORD_MIN) {
    return `The password has less than ${PASSWORD_MIN} characters.`;
  }
  return password === again ? "" : "The two passwords differ.";
}

const FIRST =
  "From the first user or token on, every request to the dashboard needs a login or a " +
  "token, also from this machine. Proxies and config commands then need a token in dashboard_token.";

/** @type {Readonly<Record<string, Action>>} */
export const ACCESS_ACTIONS = {
  add_user: {
    title: () => "Add user",
    verb: "Add user",
    fields: [NAME, ROLE, ...PASSWORDS],
    start: () => ({ role: "viewer" }),
    words: ({ name, role }, view) => [
      `${name} can log in at this dashboard, as ${role}. Redis clients do not see these users.`,
      ...view.dashboard.has_users ? [] : [FIRST],
    ],
    problem: ({ password, again }) => passwordProblem(password, again),
    request: ({ name, role, password }) => ({
      method: "POST",
      path: "api/users",
      body: { name: String(name).trim(), role, password },
    }),
    done: ({ name }) => `User ${name} was added.`,
  },
  set_user: {
    title: ({ name }) => `Change user ${name}`,
    verb: "Change",
    fields: [
      ROLE,
      { name: "renews", label: "Set a new password", kind: "box" },
      ...PASSWORDS.map((field) => ({ ...field, isLeftOut: isKept })),
    ],
    words: ({ name, role, renews }) => [
      `${name} is ${role} from now on${renews === true ? ", with the new password" : ""}. ` +
      "Sessions of this user end.",
    ],
    problem: ({ renews, password, again }) =>
      renews === true ? passwordProblem(password, again) : "",
    request: ({ name, role, renews, password }) => ({
      method: "PUT",
      path: `api/users/${encodeURIComponent(String(name))}`,
      body: { role, ...renews === true ? { password } : {} },
    }),
    done: ({ name }) => `User ${name} was changed.`,
  },
  remove_user: {
    title: ({ name }) => `Remove user ${name}`,
    verb: "Remove",
    isRisky: true,
    words: ({ name }) => [`${name} cannot log in any more. Sessions of this user end.`],
    request: ({ name }) => ({
      method: "DELETE",
      path: `api/users/${encodeURIComponent(String(name))}`,
    }),
    done: ({ name }) => `User ${name} was removed.`,
  },
  change_password: {
    title: () => "Change your password",
    verb: "Change",
    fields: [{ name: "old_password", label: "Old password", kind: "password" }, ...PASSWORDS],
    words: () => ["You stay logged in here. Your other sessions end."],
    problem: ({ password, again }) => passwordProblem(password, again),
    request: ({ old_password, password }) => ({
      method: "POST",
      path: "api/password",
      body: { old_password, password },
    }),
    done: () => "Your password was changed.",
  },
  add_token: {
    title: () => "Make token",
    verb: "Make token",
    fields: [
      NAME,
      ROLE,
      {
        name: "days",
        label: "Good for days",
        kind: "number",
        least: 0,
        most: 3650,
        hint: "0: until it is removed",
      },
    ],
    start: () => ({ role: "viewer", days: "90" }),
    words: ({ name, role }, view) => [
      `Programs that send the token are "token ${name}", with the role ${role}. It is shown once.`,
      ...view.dashboard.needs_token ? [] : [FIRST],
    ],
    request: ({ name, role, days }) => ({
      method: "POST",
      path: "api/tokens",
      body: {
        name: String(name).trim(),
        role,
        ...Number(days) === 0 ? {} : { expires_seconds: Number(days) * DAY_S },
      },
    }),
    done: ({ name }) => `Token ${name} was made.`,
    shown: ({ token }) => String(token),
  },
  remove_token: {
    title: ({ name }) => `Remove token ${name}`,
    verb: "Remove",
    isRisky: true,
    words: ({ name }) => [`Whoever uses token ${name} is refused from now on.`],
    request: ({ name }) => ({
      method: "DELETE",
      path: `api/tokens/${encodeURIComponent(String(name))}`,
    }),
    done: ({ name }) => `Token ${name} was removed.`,
  },
};
