/**
 * The dialog before a change: its fields, what will happen in words, and the error when the dashboard
 * refuses.
 *
 *     ask ──► (log in) ──► fill in, read ──► sent ──► done, with a toast
 *                              ▲               └──► refused: its text, and another try
 *                              └───────────────────────┘
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useRef, useState } from "./preact_hooks.js";
import { ACTIONS, fieldProblem } from "./actions.js";
import { send } from "./api.js";
import { poll } from "./cluster.js";
import { useKeptFocus } from "./focus.js";
import { peerUrl } from "./format.js";
import { html } from "./html.js";
import { LoginDialog } from "./login.js";
import { Modal, toast } from "./modal.js";
import { isLoginNeeded, mayDo } from "./who.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { Action, Field, Values } from "./actions.js" */
/** @import { ApiError } from "./api.js" */

/** @typedef {{ action: Action, preset: Values }} Question */
/** @typedef {{ title: string, text: string }} ShownOnce */

/** @type {(question: Question | null) => void} */
let open = () => {};

/**
 * Opens the dialog of one of {@linkcode ACTIONS}, and carries it out when the user confirms.
 *
 * @param {string} name
 * @param {Values} [preset] The values that are known already: the group, the slots.
 */
export function ask(name, preset = {}) {
  const action = ACTIONS[name];
  if (action === undefined) throw new Error(`no action is called "${name}"`);
  open({ action, preset });
}

/**
 * The button of one of {@linkcode ACTIONS}; nothing for a user who may not carry it out.
 *
 * @param {{
 *   name: string,
 *   preset?: Values,
 *   isPrimary?: boolean,
 *   isRisky?: boolean,
 *   isDisabled?: boolean,
 *   children?: unknown,
 * }} props
 */
export function ActionButton({ name, preset, isPrimary, isRisky, isDisabled, children }) {
  if (!mayDo(name)) return null;
  return html`
    <button
      type="button"
      class=${isRisky ? "primary risky" : isPrimary ? "primary" : undefined}
      disabled=${isDisabled}
      onClick=${() => ask(name, preset)}
    >${children}</button>
  `;
}

/**
 * The place where dialogs appear.
 *
 * @param {{ view: ClusterView }} props
 */
export function Questions({ view }) {
  const [question, setQuestion] = useState(/** @type {Question | null} */ (null));
  const [isLoggingIn, setLoggingIn] = useState(false);
  const [shown, setShown] = useState(/** @type {ShownOnce | null} */ (null));
  useEffect(() => {
    open = (next) => {
      setLoggingIn(next !== null && isLoginNeeded());
      setQuestion(next);
    };
  }, []);
  if (question === null) {
    return shown === null ? null : html`<${Shown} ...${shown} onClose=${() => setShown(null)} />`;
  }
  const close = () => setQuestion(null);
  if (isLoggingIn) {
    return html`<${LoginDialog} onClose=${(/** @type {boolean} */ isLoggedIn) => {
      setLoggingIn(false);
      if (!isLoggedIn) close();
    }} />`;
  }
  return html`<${ActionDialog} ...${question} view=${view} onClose=${close} onShown=${setShown} />`;
}

/**
 * @param {Question & {
 *   view: ClusterView,
 *   onClose: () => void,
 *   onShown: (shown: ShownOnce) => void,
 * }} props
 */
function ActionDialog({ action, preset, view, onClose, onShown }) {
  const [values, setValues] = useState(
    /** @type {() => Values} */ (() => ({ ...action.start?.(view), ...preset })),
  );
  const [refusal, setRefusal] = useState(/** @type {ApiError | null} */ (null));
  const [state, setState] = useState(/** @type {"asking" | "sending" | "login"} */ ("asking"));
  const isOpen = useRef(true);
  useEffect(() => () => void (isOpen.current = false), []);
  useKeptFocus(state === "sending");
  const plan = usePreview(action, values, state === "login", () => setState("login"));

  const fields = neededFields(action, values, refusal?.mayBeForced === true);
  const wrong = fields.map((field) => fieldProblem(field, values[field.name])).find(Boolean) ??
    action.problem?.(values, view) ?? "";
  // What was planned or refused before was about something else than what is wrong now.
  const isRight = wrong === "";
  const words = isRight ? action.words(values, view) : [];

  const filled = { values, view, isDisabled: state === "sending", onChange: setValues };

  async function carryOut() {
    setState("sending");
    setRefusal(null);
    try {
      const answer = await send(action.request(values));
      toast("good", action.done(values));
      poll();
      const once = action.shown?.(answer);
      if (once !== undefined) onShown({ title: action.title(values), text: once });
      if (isOpen.current) onClose();
    } catch (error) {
      const reason = /** @type {ApiError} */ (error);
      if (!isOpen.current) return toast("bad", `${action.title(values)}: ${reason.message}`);
      setRefusal(reason);
      if (!reason.wantsToken && !reason.mayBeForced) setValues(unforced(action, values));
      setState(reason.wantsToken ? "login" : "asking");
    }
  }

  return html`
    <${Modal} title=${action.title(values)} onClose=${onClose}>
      <form
        noValidate
        onSubmit=${(/** @type {Event} */ event) => {
          event.preventDefault();
          if (isRight && state === "asking" && plan.isReady) carryOut();
        }}
      >
        <${Fields} ...${filled} fields=${fields.filter((field) => !field.afterRefusal)} />
        <${Words} wrong=${wrong} words=${words} />
        ${isRight ? html`<${Plan} action=${action} plan=${plan} />` : null}
        <${RefusalText} refusal=${isRight ? refusal : null} />
        <${Fields} ...${filled} fields=${fields.filter((field) => isRight && field.afterRefusal)} />
        <${Buttons}
          action=${action}
          isSending=${state === "sending"}
          isReady=${isRight && state !== "sending" && plan.isReady}
          onClose=${onClose}
        />
      </form>
    </${Modal}>
    ${state === "login"
      ? html`<${LoginDialog} onClose=${(/** @type {boolean} */ isLoggedIn) => {
        setState("asking");
        if (isLoggedIn && refusal !== null) carryOut();
      }} />`
      : null}
  `;
}

/**
 * The fields that are to be filled in now.
 *
 * @param {Action} action
 * @param {Values} values
 * @param {boolean} mayBeForced
 */
function neededFields({ fields = [] }, values, mayBeForced) {
  return fields.filter(({ afterRefusal, isLeftOut }) =>
    (!afterRefusal || mayBeForced) && isLeftOut?.(values) !== true
  );
}

/**
 * The values without what is offered after a refusal: what is not offered any more is not asked for, either.
 *
 * @param {Action} action
 * @param {Values} values
 * @returns {Values}
 */
function unforced({ fields = [] }, values) {
  const offered = fields.filter(({ afterRefusal }) => afterRefusal).map(({ name }) => name);
  return { ...values, ...Object.fromEntries(offered.map((name) => [name, false])) };
}

/**
 * What is shown once, after it was done.
 *
 * @param {ShownOnce & { onClose: () => void }} props
 */
function Shown({ title, text, onClose }) {
  return html`
    <${Modal} title=${title} onClose=${onClose}>
      <form onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        onClose();
      }}>
        <p>Copy this now. It is not kept anywhere, and cannot be shown again.</p>
        <input type="text" name="shown" aria-label="Shown once" readonly value=${text}
          onFocus=${(/** @type {Event} */ event) =>
            /** @type {HTMLInputElement} */ (event.target).select()} />
        <div class="buttons"><button type="submit" class="primary">Close</button></div>
      </form>
      </${Modal}>
  `;
}

/**
 * @param {{ action: Action, isSending: boolean, isReady: boolean, onClose: () => void }} props
 */
function Buttons({ action, isSending, isReady, onClose }) {
  return html`
    <div class="buttons">
      ${isSending
        ? html`<span class="busy">waiting for the dashboard and its proxies …</span>`
        : null}
      <button type="button" onClick=${onClose}>
        ${isSending ? "Close, keep it running" : "Cancel"}
      </button>
      <button
        type="submit"
        class=${action.isRisky ? "primary risky" : "primary"}
        disabled=${!isReady}
      >${action.verb}</button>
    </div>
  `;
}

/**
 * @typedef {object} PlanState
 * @property {boolean} isReady Whether the action may be carried out.
 * @property {readonly string[]} words
 * @property {string} problem
 */

/**
 * What the action would do; asked again whenever a field changes.
 *
 * @param {Action} action
 * @param {Values} values
 * @param {boolean} isPaused
 * @param {() => void} onNoToken Called when it needs a token.
 * @returns {PlanState}
 */
function usePreview({ preview }, values, isPaused, onNoToken) {
  const [state, setState] = useState(
    /** @type {PlanState} */ ({ isReady: preview === undefined, words: [], problem: "" }),
  );
  const request = preview?.request(values);
  const question = JSON.stringify(request);
  useEffect(() => {
    if (preview === undefined || request === undefined || isPaused) return;
    let isWanted = true;
    setState({ isReady: false, words: [], problem: "" });
    send(request).then(
      (answer) => ({
        isReady: !preview.isNothing(answer),
        words: preview.words(answer),
        problem: "",
      }),
      (/** @type {ApiError} */ error) => {
        if (error.wantsToken && isWanted) onNoToken();
        return { isReady: false, words: [], problem: error.message };
      },
    ).then((next) => isWanted && setState(next));
    return () => void (isWanted = false);
  }, [question, isPaused]);
  return state;
}

/** @param {{ wrong: string, words: readonly string[] }} props */
function Words({ wrong, words }) {
  return html`
    <div class="words">
      ${wrong === "" ? null : html`<p class="wrong">${wrong}</p>`}
      ${words.map((sentence) => html`<p>${sentence}</p>`)}
    </div>
  `;
}

/** @param {{ action: Action, plan: PlanState }} props */
function Plan({ action, plan }) {
  if (action.preview === undefined) return null;
  if (plan.problem !== "") return html`<p class="problem" role="alert">${plan.problem}</p>`;
  return html`
    <ul class="plan" aria-label="Plan">
      ${plan.words.length === 0
        ? html`<li>planning …</li>`
        : plan.words.map((line) => html`<li>${line}</li>`)}
    </ul>
  `;
}

/** @param {{ refusal: ApiError | null }} props */
function RefusalText({ refusal }) {
  if (refusal === null) return html`<p class="problem" role="alert"></p>`;
  const { message, field, rule, leader } = refusal;
  return html`
    <p class="problem" role="alert">
      ${message}${field === "" || rule === "" ? "" : ` (${field}: ${rule})`}${" "}
      ${leader === "" ? null : html`
        <a href=${peerUrl(leader, "/admin")} rel="noreferrer">Go to ${leader}</a>
      `}
    </p>
  `;
}

/**
 * @param {{
 *   fields: readonly Field[],
 *   values: Values,
 *   view: ClusterView,
 *   isDisabled: boolean,
 *   onChange: (values: Values) => void,
 * }} props
 */
function Fields({ fields, values, view, isDisabled, onChange }) {
  if (fields.length === 0) return null;
  return html`
    <div class="fields">
      ${fields.map((field) =>
        html`
          <${FieldInput}
            key=${field.name}
            field=${field}
            value=${values[field.name]}
            choices=${field.choices?.(view, values)}
            isDisabled=${isDisabled}
            onChange=${(/** @type {string | boolean} */ value) =>
              onChange({ ...values, [field.name]: value })}
          />
        `
      )}
    </div>
  `;
}

/**
 * @param {{
 *   field: Field,
 *   value: string | boolean | undefined,
 *   choices: readonly (readonly [value: string, text: string])[] | undefined,
 *   isDisabled: boolean,
 *   onChange: (value: string | boolean) => void,
 * }} props
 */
function FieldInput({ field, value, choices, isDisabled, onChange }) {
  const { name, label, kind, hint, least, most } = field;
  const type = /** @param {Event} event */ (event) =>
    onChange(/** @type {HTMLInputElement} */ (event.target).value);
  if (kind === "box") {
    return html`
      <label class="box">
        <input
          type="checkbox"
          name=${name}
          checked=${value === true}
          disabled=${isDisabled}
          onChange=${(/** @type {Event} */ event) =>
            onChange(/** @type {HTMLInputElement} */ (event.target).checked)}
        />
        <span>${label}</span>
      </label>
    `;
  }
  return html`
    <label class="field">
      <span>${label}</span>
      ${kind === "choice"
        ? html`
          <select name=${name} value=${value} disabled=${isDisabled} onChange=${type}>
            ${choices?.map(([choice, text]) =>
              html`<option key=${choice} value=${choice}>${text}</option>`
            )}
          </select>
        `
        : html`
          <input
            type=${kind}
            name=${name}
            value=${value}
            disabled=${isDisabled}
            min=${least}
            max=${most}
            step=${kind === "number" ? 1 : undefined}
            autocomplete=${kind === "password" ? "new-password" : "off"}
            spellcheck=${false}
            onInput=${type}
          />
        `}
      ${hint === undefined ? null : html`<small>${hint}</small>`}
    </label>
  `;
}
