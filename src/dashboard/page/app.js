/**
 * The frame of the page: its head, the tabs of the views, and the state of the cluster in one line.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useRef, useState } from "./preact_hooks.js";
import { ActionButton, Questions } from "./action_dialog.js";
import { Activity } from "./activity.js";
import { Alarm } from "./alarm.js";
import { useAddress } from "./address.js";
import { AccessView } from "./access.js";
import { currentToken, logOut, onLogin } from "./api.js";
import { concernsOf } from "./attention.js";
import { usePicture } from "./cluster.js";
import { focusFirst, focusMain, isFocusLost, useFocusInside, useFocusOn } from "./focus.js";
import { clockTime, counted, duration, peerUrl } from "./format.js";
import { Groups } from "./groups.js";
import { html } from "./html.js";
import { LoginDialog, LoginView } from "./login.js";
import { Menu } from "./menu.js";
import { Migrations } from "./migrations.js";
import { toast, Toasts } from "./modal.js";
import { Overview } from "./overview.js";
import { ProductMenu, Products } from "./products.js";
import { Proxies } from "./proxies.js";
import { Slots } from "./slots.js";
import { switchTheme, useTheme } from "./theme.js";
import { areThereUsers, isAdmin, loggedIn, noteLogout, wasLoggedIn } from "./who.js";

/** @import { ChangeView, ClusterView } from "../../api/cluster_view.ts" */
/** @import { Picture } from "./cluster.js" */

/** The views: name in the address, title, path of the icon, component. */
const VIEWS = [
  { name: "overview", title: "Overview", sign: "M3 12h4l3-8 4 16 3-8h4", draw: Overview },
  {
    name: "slots",
    title: "Slots",
    sign: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z",
    draw: Slots,
  },
  {
    name: "groups",
    title: "Groups",
    sign: "M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5h.01M7.5 16.5h.01",
    draw: Groups,
  },
  {
    name: "proxies",
    title: "Proxies",
    sign: "M12 8v4M6 20v-4h12v4M12 12v4M9.5 3h5v5h-5zM4 20h4M16 20h4",
    draw: Proxies,
  },
  {
    name: "migrations",
    title: "Migrations",
    sign: "M4 8h15M15 4l4 4-4 4M20 16H5M9 12l-4 4 4 4",
    draw: Migrations,
  },
  { name: "activity", title: "Activity", sign: "M5 6h14M5 12h14M5 18h9", draw: Activity },
  {
    name: "access",
    title: "Users",
    sign:
      "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21a7 7 0 0 1 14 0M17 4a4 4 0 0 1 0 7M19 15a7 7 0 0 1 3 6",
    draw: AccessView,
  },
];

/** A view without a tab: the menu of products leads there. */
const PRODUCTS_VIEW = { name: "products", draw: Products };

/** The views that the user may see. */
function allowedViews() {
  return isAdmin() ? VIEWS : VIEWS.filter(({ name }) => name !== "access");
}

/** The whole page. */
export function App() {
  const picture = usePicture();
  const { view: name } = useAddress();
  useEffect(() => scrollTo(0, 0), [name]);
  const { view } = picture;
  const views = allowedViews();
  const shown = [...views, PRODUCTS_VIEW].find((other) => other.name === name) ?? views[0];
  // There is nothing to see without a login.
  const isShut = picture.wantsToken && view === null && areThereUsers();
  useFocusOf(isShut);
  const main = useFocusOn();
  return html`
    <a class="skip" href="#main" onClick=${skipToMain}>Skip to content</a>
    <header class="head">
      <a class="brand" href="#overview">
        <img src="admin/icon.svg" alt="" width="28" height="28" />
        <span>Codis<small>${view?.product ?? ""}</small></span>
      </a>
      ${view === null ? null : html`<${ProductMenu} key=${view.you?.name} own=${view.product} />`}
      <${Tabs} shown=${shown?.name ?? ""} />
      <div class="tools">
        <${ThemeButton} />
        ${isShut ? null : html`
          <${Who} needsLogin=${picture.wantsToken || view?.dashboard.needs_token === true} />
        `}
      </div>
    </header>
    ${isShut ? html`<${Shut} />` : html`
      <section aria-label="State of the cluster">
        <${StatusLine} picture=${picture} />
      </section>
    `}
    <main id="main" ref=${main} tabindex="-1" class=${picture.problem === "" || isShut
      ? ""
      : "stale"}>
      ${isShut
        ? html`<${LoginView} />`
        : view === null
        ? html`<p class="waiting">${picture.problem === "" ? "Loading …" : ""}</p>`
        : html`<${shown?.draw} key=${view.you?.role} view=${view} />`}
    </main>
    ${view === null ? null : html`<${Questions} view=${view} />`}
    <${Toasts} />
    <${Alarm} picture=${picture} />
  `;
}

/**
 * After a login the focus is at the content, after a logout in the form.
 *
 * @param {boolean} isShut
 */
function useFocusOf(isShut) {
  const wasShut = useRef(isShut);
  useEffect(() => {
    const main = document.getElementById("main");
    const isLost = isFocusLost() || document.activeElement === main;
    if (isShut !== wasShut.current && isLost) isShut ? focusFirst(main) : focusMain();
    wasShut.current = isShut;
  }, [isShut]);
}

/** @param {Event} event */
function skipToMain(event) {
  event.preventDefault();
  focusMain();
}

/** @param {{ shown: string }} props */
function Tabs({ shown }) {
  return html`
    <nav class="tabs" aria-label="Views">
      ${allowedViews().map(({ name, title, sign }) =>
        html`
          <a key=${name} href=${`#${name}`} aria-current=${name === shown ? "page" : undefined}>
            <svg viewBox="0 0 24 24" aria-hidden="true">
              <path d=${sign} />
            </svg>
            <span>${title}</span>
          </a>
        `
      )}
    </nav>
  `;
}

function ThemeButton() {
  const theme = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  const sign = theme === "dark"
    ? "M12 4V2M12 22v-2M4 12H2M22 12h-2M6 6 4.6 4.6M19.4 19.4 18 18M18 6l1.4-1.4M4.6 19.4 6 18" +
      "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z"
    : "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z";
  return html`
    <button
      type="button"
      class="icon"
      title=${`Switch to ${other} colours`}
      aria-label=${`Switch to ${other} colours`}
      onClick=${switchTheme}
    ><svg viewBox="0 0 24 24" aria-hidden="true"><path d=${sign} /></svg></button>
  `;
}

/** @param {{ needsLogin: boolean }} props */
function Who({ needsLogin }) {
  const [token, setToken] = useState(currentToken);
  useEffect(() => onLogin(() => setToken(currentToken())), []);
  const place = useFocusInside();
  return html`
    <div class="who" ref=${place}>
      <${LoginButton} token=${token} needsLogin=${needsLogin} />
    </div>
  `;
}

/** @param {{ token: string, needsLogin: boolean }} props */
function LoginButton({ token, needsLogin }) {
  const [isOpen, setOpen] = useState(false);
  const you = loggedIn();
  if (you !== undefined && (you.kind === "user" || token !== "")) {
    return html`<${UserMenu} name=${you.name} role=${you.role} />`;
  }
  if (token !== "") return html`<button type="button" onClick=${leave}>Log out</button>`;
  if (!needsLogin) return null;
  return html`
    <button type="button" onClick=${() => setOpen(true)}>Log in</button>
    ${isOpen ? html`<${LoginDialog} onClose=${() => setOpen(false)} />` : null}
  `;
}

/** @param {{ name: string, role: string }} props */
function UserMenu({ name, role }) {
  return html`
    <${Menu} label=${name}>
      <p>${name}<small>${role}</small></p>
      <${ActionButton} name="change_password">Change password …</${ActionButton}>
      <button type="button" onClick=${leave}>Log out</button>
    </${Menu}>
  `;
}

function leave() {
  noteLogout();
  logOut().catch((error) => toast("bad", `Log out: ${error.message}`));
}

/**
 * One line, always visible: the most important fact now.
 *
 * @param {{ picture: Picture }} props
 */
function StatusLine({ picture }) {
  const { view, problem } = picture;
  if (problem !== "") return html`<${OutOfReach} picture=${picture} />`;
  if (view === null) return html`<div class="status off"><span>Connecting …</span></div>`;
  if (view.dead_fences.length > 0) {
    return html`
      <div class="status bad" role="alert">
        <span>
          <b>The cluster cannot be changed:</b>${" "}
          ${counted(view.dead_fences.length, "proxy", "proxies")} did not stop cleanly${" "}
          (${view.dead_fences.join(", ")}).
        </span>
        <${ActionButton} name="remove_fences">Remove fences …</${ActionButton}>
      </div>
    `;
  }
  if (view.change !== null) return html`<${ChangeLine} change=${view.change} now=${view.at} />`;
  const concerns = concernsOf(view);
  const worst = concerns[0];
  if (worst === undefined) {
    return html`<div class="status good"><span>All is well.</span></div>`;
  }
  const more = concerns.length === 1 ? "" : ` And ${concerns.length - 1} more.`;
  return html`
    <div class=${`status ${worst.tone}`}>
      <span>${worst.text}.${more}</span>
      <a href=${concerns.length === 1 ? `#${worst.place}` : "#overview"}>Show</a>
    </div>
  `;
}

/** @param {{ change: ChangeView, now: number }} props */
function ChangeLine({ change, now }) {
  const { summary, since, waiting_for } = change;
  const first = waiting_for[0];
  const waits = first === undefined
    ? ""
    : `, waiting for ${counted(waiting_for.length, "proxy", "proxies")}: ${first.proxy_id}` +
      (first.reason === "" ? "" : ` (${first.reason})`);
  return html`
    <div class="status busy">
      <span>Change running for ${duration((now - since) / 1000)}: ${summary}${waits}</span>
      <a href="#activity">Show</a>
    </div>
  `;
}

function Shut() {
  return html`
    <div class="status off" role="status">
      <span>${wasLoggedIn() ? "Your session has ended." : "Log in to see this cluster."}</span>
    </div>
  `;
}

/** @param {{ picture: Picture }} props */
function OutOfReach({ picture: { view, problem, problemSince, leader } }) {
  const since = duration((Date.now() - problemSince) / 1000);
  return html`
    <div class="status bad" role="alert">
      <span>
        <b>No data from the dashboard:</b> ${problem}, for ${since}.${" "}
        ${view === null ? "" : `This page shows the state at ${clockTime(view.at)}.`}
      </span>
      ${leader === "" ? null : html`<a href=${peerUrl(leader, "/admin")}>Go to ${leader}</a>`}
    </div>
  `;
}
