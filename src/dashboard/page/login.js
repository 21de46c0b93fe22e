/**
 * Logging in: with a name and a password, or with a token.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { logIn, logInAs } from "./api.js";
import { useKeptFocus } from "./focus.js";
import { html } from "./html.js";
import { Modal } from "./modal.js";
import { areThereUsers } from "./who.js";

/** @import { ApiError } from "./api.js" */

/**
 * The dialog.
 *
 * @param {{ onClose: (isLoggedIn: boolean) => void }} props
 */
export function LoginDialog({ onClose }) {
  return html`
    <${Modal} title="Log in" onClose=${() => onClose(false)}>
      <${LoginForm} onDone=${() => onClose(true)} onCancel=${() => onClose(false)} />
      </${Modal}>
  `;
}

/** The whole view, where there is nothing to see without a login. */
export function LoginView() {
  return html`
    <section class="card login">
      <h1>Log in</h1>
      <${LoginForm} onDone=${() => {}} onCancel=${null} />
    </section>
  `;
}

/**
 * The form; it asks the dashboard whether what was typed is right.
 *
 * @param {{ onDone: () => void, onCancel: (() => void) | null }} props
 */
function LoginForm({ onDone, onCancel }) {
  const [isByToken, setByToken] = useState(!areThereUsers());
  const [typed, setTyped] = useState({ user: "", password: "", token: "" });
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  useKeptFocus(isBusy);
  const type = /** @param {Event} event */ (event) => {
    const { name, value } = /** @type {HTMLInputElement} */ (event.target);
    setTyped({ ...typed, [name]: value });
  };

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await (isByToken ? logIn(typed.token.trim()) : logInAs(typed.user.trim(), typed.password));
      onDone();
    } catch (error) {
      setProblem(/** @type {ApiError} */ (error).message);
    }
    setBusy(false);
  }

  return html`
    <form onSubmit=${submit}>
      ${isByToken
        ? html`<${TokenFields} token=${typed.token} onInput=${type} />`
        : html`<${UserFields} ...${typed} onInput=${type} />`}
      <p class="problem" role="alert">${problem}</p>
      <div class="buttons">
        ${!areThereUsers() ? null : html`
          <button type="button" class="other" onClick=${() => setByToken(!isByToken)}>
            ${isByToken ? "Use a name and a password" : "Use a token"}
          </button>
        `}
        ${onCancel === null
          ? null
          : html`<button type="button" onClick=${onCancel}>Cancel</button>`}
        <button type="submit" class="primary" disabled=${isBusy}>Log in</button>
      </div>
    </form>
  `;
}

/** @param {{ token: string, onInput: (event: Event) => void }} props */
function TokenFields({ token, onInput }) {
  return html`
    <p>
      Changes to this cluster need a token: the <code>dashboard_token</code> of its dashboard, or an
      API token. The page keeps it until you close this tab.
    </p>
    <input class="sr-only" name="username" autocomplete="username" value="dashboard" readonly
      tabindex="-1" aria-hidden="true" />
    <label class="field">
      <span>Token</span>
      <input type="password" name="token" autocomplete="current-password" required autofocus
        value=${token} onInput=${onInput} />
    </label>
  `;
}

/** @param {{ user: string, password: string, onInput: (event: Event) => void }} props */
function UserFields({ user, password, onInput }) {
  return html`
    <label class="field">
      <span>Name</span>
      <input type="text" name="user" autocomplete="username" autocapitalize="none"
        spellcheck=${false} required autofocus value=${user} onInput=${onInput} />
    </label>
    <label class="field">
      <span>Password</span>
      <input type="password" name="password" autocomplete="current-password" required
        value=${password} onInput=${onInput} />
    </label>
  `;
}
