/**
 * Serves the dashboard's web page: the files of `page/`, and nothing else.
 *
 * They are modules that a browser runs as they stand, part of the program through text imports, so
 * that there is no build step and nothing to load from elsewhere. Preact, htm and uPlot are their
 * packages' own files; `deno.json` maps the names `page/` imports them by to their versions.
 *
 * @module
 */

import { crc32 } from "../hash/crc32.ts";
import access from "./page/access.js" with { type: "text" };
import accessCss from "./page/access.css" with { type: "text" };
import accessActions from "./page/access_actions.js" with { type: "text" };
import actionDialog from "./page/action_dialog.js" with { type: "text" };
import actions from "./page/actions.js" with { type: "text" };
import activity from "./page/activity.js" with { type: "text" };
import api from "./page/api.js" with { type: "text" };
import address from "./page/address.js" with { type: "text" };
import alarm from "./page/alarm.js" with { type: "text" };
import app from "./page/app.js" with { type: "text" };
import audit from "./page/audit.js" with { type: "text" };
import attention from "./page/attention.js" with { type: "text" };
import chart from "./page/chart.js" with { type: "text" };
import cluster from "./page/cluster.js" with { type: "text" };
import colour from "./page/colour.js" with { type: "text" };
import connections from "./page/connections.js" with { type: "text" };
import detailParts from "./page/detail_parts.js" with { type: "text" };
import elements from "./page/elements.js" with { type: "text" };
import focus from "./page/focus.js" with { type: "text" };
import format from "./page/format.js" with { type: "text" };
import dialogCss from "./page/dialog.css" with { type: "text" };
import groupActions from "./page/group_actions.js" with { type: "text" };
import groupList from "./page/group_list.js" with { type: "text" };
import groups from "./page/groups.js" with { type: "text" };
import guide from "./page/guide.js" with { type: "text" };
import html from "./page/html.js" with { type: "text" };
import historyCharts from "./page/history_charts.js" with { type: "text" };
import htm from "./page/htm.js" with { type: "text" };
import icon from "./page/icon.svg" with { type: "text" };
import iconAlarm from "./page/icon_alarm.svg" with { type: "text" };
import listsCss from "./page/lists.css" with { type: "text" };
import login from "./page/login.js" with { type: "text" };
import menu from "./page/menu.js" with { type: "text" };
import migrationCards from "./page/migration_cards.js" with { type: "text" };
import migrations from "./page/migrations.js" with { type: "text" };
import modal from "./page/modal.js" with { type: "text" };
import movePlan from "./page/move_plan.js" with { type: "text" };
import outages from "./page/outages.js" with { type: "text" };
import outagesCss from "./page/outages.css" with { type: "text" };
import overview from "./page/overview.js" with { type: "text" };
import pageCss from "./page/page.css" with { type: "text" };
import pageHtml from "./page/page.html" with { type: "text" };
import pageJs from "./page/page.js" with { type: "text" };
import polled from "./page/polled.js" with { type: "text" };
import preact from "./page/preact.js" with { type: "text" };
import preactHooks from "./page/preact_hooks.js" with { type: "text" };
import redisUserActions from "./page/redis_user_actions.js" with { type: "text" };
import redisUsers from "./page/redis_users.js" with { type: "text" };
import proxyConfig from "./page/proxy_config.js" with { type: "text" };
import rules from "./page/rules.js" with { type: "text" };
import products from "./page/products.js" with { type: "text" };
import proxyDetail from "./page/proxy_detail.js" with { type: "text" };
import proxies from "./page/proxies.js" with { type: "text" };
import sentinelActions from "./page/sentinel_actions.js" with { type: "text" };
import sentinels from "./page/sentinels.js" with { type: "text" };
import serverDetail from "./page/server_detail.js" with { type: "text" };
import slotActions from "./page/slot_actions.js" with { type: "text" };
import slotMap from "./page/slot_map.js" with { type: "text" };
import slotPainting from "./page/slot_painting.js" with { type: "text" };
import slotRanges from "../model/slot_ranges.js" with { type: "text" };
import slots from "./page/slots.js" with { type: "text" };
import hotKeys from "./page/hot_keys.js" with { type: "text" };
import slowLog from "./page/slow_log.js" with { type: "text" };
import slotsCss from "./page/slots.css" with { type: "text" };
import themeCss from "./page/theme.css" with { type: "text" };
import theme from "./page/theme.js" with { type: "text" };
import topology from "./page/topology.js" with { type: "text" };
import uplotCss from "./page/uplot.css" with { type: "text" };
import uplot from "./page/uplot.js" with { type: "text" };
import who from "./page/who.js" with { type: "text" };
import viewsCss from "./page/views.css" with { type: "text" };
import overviewCss from "./page/overview.css" with { type: "text" };

const CONTENT_TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
} as const;

/** What is served under `/admin/`, by name. */
const FILES: Readonly<Record<string, string>> = {
  "access.js": access,
  "access_actions.js": accessActions,
  "action_dialog.js": actionDialog,
  "actions.js": actions,
  "activity.js": activity,
  "address.js": address,
  "alarm.js": alarm,
  "api.js": api,
  "app.js": app,
  "attention.js": attention,
  "audit.js": audit,
  "chart.js": chart,
  "cluster.js": cluster,
  "colour.js": colour,
  "connections.js": connections,
  "detail_parts.js": detailParts,
  "elements.js": elements,
  "focus.js": focus,
  "format.js": format,
  "group_actions.js": groupActions,
  "group_list.js": groupList,
  "groups.js": groups,
  "guide.js": guide,
  "history_charts.js": historyCharts,
  "html.js": html,
  "htm.js": htm,
  "icon.svg": icon,
  "icon_alarm.svg": iconAlarm,
  "login.js": login,
  "menu.js": menu,
  "migration_cards.js": migrationCards,
  "migrations.js": migrations,
  "modal.js": modal,
  "move_plan.js": movePlan,
  "outages.js": outages,
  "overview.js": overview,
  "page.css": [
    uplotCss,
    themeCss,
    pageCss,
    listsCss,
    viewsCss,
    overviewCss,
    slotsCss,
    dialogCss,
    accessCss,
    outagesCss,
  ]
    .join("\n"),
  "page.js": pageJs,
  "polled.js": polled,
  "preact.js": asServed(preact),
  "preact_hooks.js": asServed(preactHooks),
  "products.js": products,
  "proxies.js": proxies,
  "proxy_detail.js": proxyDetail,
  "redis_user_actions.js": redisUserActions,
  "redis_users.js": redisUsers,
  "rules.js": rules,
  "proxy_config.js": proxyConfig,
  "sentinel_actions.js": sentinelActions,
  "sentinels.js": sentinels,
  "server_detail.js": serverDetail,
  "slot_actions.js": slotActions,
  "slot_map.js": slotMap,
  "slot_painting.js": slotPainting,
  "slot_ranges.js": slotRanges,
  "slots.js": slots,
  "hot_keys.js": hotKeys,
  "slow_log.js": slowLog,
  "theme.js": theme,
  "topology.js": topology,
  "uplot.js": uplot,
  "who.js": who,
};

/** Where old addresses lead: Codis 2.0's start page and its grid of slots. */
const REDIRECTS: Readonly<Record<string, string>> = {
  "/": "admin",
  "/admin/": "../admin",
  "/slots": "admin#slots",
};

/**
 * Nothing but our own files is run or loaded; no script may turn text into markup, and no other
 * site may frame the page.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

interface ServedFile {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
}

/** Every path that has content. */
const SERVED: ReadonlyMap<string, ServedFile> = new Map([
  ["/admin", servedFile("page.html", withModules(pageHtml))],
  ...Object.entries(FILES).map(([name, content]): [string, ServedFile] => [
    `/admin/${name}`,
    servedFile(name, content),
  ]),
]);

/**
 * Answers a request for the page or one of its files.
 *
 * @returns `undefined` when the path is none of the page's.
 */
export function pageResponse(request: Request): Response | undefined {
  const { pathname } = new URL(request.url);
  const target = Object.hasOwn(REDIRECTS, pathname) ? REDIRECTS[pathname] : undefined;
  const file = SERVED.get(pathname);
  if (target === undefined && file === undefined) return undefined;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return Response.json({ error: `${pathname} takes GET and HEAD, not ${request.method}` }, {
      status: 405,
      headers: { allow: "GET, HEAD" },
    });
  }
  if (file === undefined) {
    // A relative target stays right behind a reverse proxy that serves us below a path of its own.
    return new Response(null, { status: 302, headers: { ...HEADERS, location: target! } });
  }
  if (isFresh(request, file.etag)) {
    return new Response(null, { status: 304, headers: { ...HEADERS, etag: file.etag } });
  }
  return new Response(request.method === "HEAD" ? null : file.content, { headers: file.headers });
}

/** Whether the browser has this very content; a compressed answer has made its tag a weak one. */
function isFresh(request: Request, etag: string): boolean {
  const known = request.headers.get("if-none-match");
  return known !== null && known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

/**
 * A package's module as a browser takes it: packages name each other, browsers want addresses; and
 * there is no source map.
 */
function asServed(module: string): string {
  return module
    .replace('from"preact"', 'from"./preact.js"')
    .replace(/\n\/\/# sourceMappingURL=.*/, "");
}

/** Names all modules at once, so that a browser need not find them one behind the other. */
function withModules(page: string): string {
  const names = Object.keys(FILES).filter((name) => name.endsWith(".js"));
  const links = names.map((name) => `<link rel="modulepreload" href="admin/${name}">`);
  return page.replace("<!-- modules -->", links.join("\n    "));
}

function servedFile(name: string, text: string): ServedFile {
  const content = new TextEncoder().encode(text);
  const etag = `"${content.length.toString(16)}-${crc32(content, 0, content.length).toString(16)}"`;
  const extension = name.slice(name.lastIndexOf(".") + 1) as keyof typeof CONTENT_TYPES;
  return {
    content,
    headers: { ...HEADERS, "content-type": CONTENT_TYPES[extension], etag },
    etag,
  };
}
