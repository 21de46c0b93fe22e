/**
 * The dialog for the token that changes need.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { logIn } from "./api.js";
import { html } from "./html.js";
import { Modal } from "./modal.js";

/** @import { ApiError } from "./api.js" */

/**
 * The dialog; it checks the token with the dashboard before it stores it.
 *
 * @param {{ onClose: (isLoggedIn: boolean) => void }} props
 */
export function LoginDialog({ onClose }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await logIn(token.trim());
      onClose(true);
    } catch (error) {
      setProblem(/** @type {ApiError} */ (error).message);
      setBusy(false);
    }
  }

  return html`
    <${Modal} title="Log in" onClose=${() => onClose(false)}>
      <form onSubmit=${submit}>
        <p>
          Changes to this cluster need the token of its dashboard:${" "}
          <code>dashboard_token</code>. The page keeps it until you close this tab.
        </p>
        <input class="sr-only" name="username" autocomplete="username" value="dashboard" readonly
          tabindex="-1" aria-hidden="true" />
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            autocomplete="current-password"
            required
            autofocus
            value=${token}
            onInput=${(/** @type {InputEvent} */ event) =>
              setToken(/** @type {HTMLInputElement} */ (event.target).value)}
          />
        </label>
        <p class="problem" role="alert">${problem}</p>
        <div class="buttons">
          <button type="button" onClick=${() => onClose(false)}>Cancel</button>
          <button type="submit" class="primary" disabled=${isBusy}>Log in</button>
        </div>
      </form>
      </${Modal}>
  `;
}
