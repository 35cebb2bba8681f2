/* What HTML can't do: clocks, liveness badge, tree keys, dialogs, theme. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  /* clocks */
  const took = (s) => {
    s = Math.max(0, s);
    const two = (n) => String(Math.floor(n)).padStart(2, "0");
    if (s < 10) return `${s.toFixed(1)} s`;
    if (s < 60) return `${Math.floor(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} m`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  };
  const ago = (s) => {
    if (s < 5) return "just now";
    if (s < 60) return `${Math.floor(s)} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
    return `${Math.floor(s / 86400)} d ago`;
  };
  const write = (el, text) => { if (el.textContent !== text) el.textContent = text; };
  const zone = document.documentElement.dataset.zone;
  const inZone = new Intl.DateTimeFormat("sv-SE", { timeZone: zone || "UTC", dateStyle: "short", timeStyle: "medium" });
  /* what comes over the socket is made for all viewers: the zone is put in here */
  const absolute = (el) => {
    if (el.dataset.zoned === el.dateTime) return;
    el.dataset.zoned = el.dateTime;
    el.title = `${inZone.format(new Date(el.dateTime))} ${zone}`;
  };
  const tick = () => {
    const now = Date.now() / 1000;
    for (const el of $$("[data-since]")) write(el, took(now - Number(el.dataset.since)));
    for (const el of $$("time[data-ago]")) {
      write(el, ago(now - Date.parse(el.dateTime) / 1000));
      absolute(el);
    }
  };
  /* the timeline of a run that goes on: its scale grows with the clock */
  const stretch = () => {
    const head = $("#run-head");
    if (!head) return;
    const start = Number(head.dataset.start);
    const now = Number(head.dataset.end) || Date.now() / 1000;
    const scale = 1000 / Math.max(0.001, now - start);
    for (const svg of $$("svg.tl")) {
      const { s, e, p } = svg.dataset;
      const x = Math.min(996, Math.max(0, (Number(s) - start) * scale));
      const width = Math.min(1000, Math.max(4, ((Number(e) || now) - Number(s)) * scale));
      const [span, filled] = svg.children;
      span.setAttribute("x", x);
      span.setAttribute("width", width);
      filled?.setAttribute("x", x);
      filled?.setAttribute("width", width * Number(p));
    }
  };
  tick();
  setInterval(tick, 500);
  setInterval(() => { if ($("#run-head")?.dataset.active === "1") stretch(); }, 1000);

  /* liveness: what the page shows is live, catching up, polled, or old */
  const badge = $("#live");
  let heard = 0, failures = 0, poller = 0;
  const seq = () => $("#run-head")?.dataset.seq ?? "";
  const show = (state, text) => {
    if (!badge) return;
    badge.dataset.live = state;
    write(badge, `${text} · #${seq()}`);
  };
  const poll = (on) => {
    if (on && !poller) poller = setInterval(() => { if (!document.hidden) htmx.trigger("#poll", "poll"); }, 3000);
    if (!on && poller) poller = clearInterval(poller) || 0;
  };
  document.addEventListener("htmx:ws:after:connection", () => { heard = Date.now(); show("catching", "catching up"); });
  document.addEventListener("htmx:ws:after:message:incoming", () => {
    heard = Date.now(); failures = 0; poll(false); settle();
    const head = $("#run-head");
    show("live", head?.dataset.active === "0" ? "ended, up to date" : "live");
  });
  document.addEventListener("htmx:ws:close", (event) => {
    const code = event.detail.code;
    if (code === 4403) return show("offline", "signed out: reload the page");
    if (code === 4404) return show("offline", "this run is gone");
    if (document.hidden || event.detail.reason === "removed") return;
    failures += 1;
    show("offline", "offline, reconnecting");
    poll(failures > 2);
  });
  setInterval(() => {
    if (badge?.dataset.live === "live" && Date.now() - heard > 15000) show("catching", "no news for 15 s, checking");
  }, 5000);

  setInterval(() => { const told = $("#announce"); if (told) write(told, $("#story")?.textContent ?? ""); }, 10000);

  /* polled fragments rest while nobody looks */
  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden && event.target.matches?.("[data-poll]")) event.preventDefault();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (poller && event.target.id === "poll") show("polling", "polling");
    settle();
  });

  /* the tree: fold, unfold, move by keys; state lives here and survives every update */
  const rows = () => $$("#rows > tr[aria-level]");
  const folded = new Set();
  const level = (row) => Number(row.getAttribute("aria-level"));
  let due = false;
  const settle = () => {
    if (!due) queueMicrotask(arrange);
    due = true;
  };
  const arrange = () => {
    due = false;
    const list = rows();
    let limit = Infinity, first = null, current = false;
    for (const row of list) {
      const depth = level(row);
      if (depth <= limit) limit = Infinity;
      const hide = depth > limit;
      if (row.hidden !== hide) row.hidden = hide;
      if (!hide && row.hasAttribute("aria-expanded")) {
        const open = !folded.has(row.id);
        if (row.getAttribute("aria-expanded") !== String(open)) row.setAttribute("aria-expanded", open);
        if (!open) limit = depth;
      }
      if (!hide) first ??= row;
      if (row.tabIndex === 0) current = !hide || current;
    }
    if (!current && first) first.tabIndex = 0;
    told();
    tick(); stretch();
  };
  /* title, icon of the tab and, when nobody looks, a notification tell how the run is */
  let wasActive = "";
  const told = () => {
    const head = $("#run-head");
    if (!head) return;
    const { title, active } = head.dataset;
    if (title && document.title !== title) document.title = title;
    const state = /s-(\w+)/.exec($(".state", head)?.getAttribute("class") ?? "")?.[1];
    const known = { running: "running", stopping: "running", completed: "completed", failed: "failed", cancelled: "cancelled" }[state];
    const icon = $("#favicon");
    const href = icon.href.replace(/favicon[\w-]*\.svg/, known ? `favicon-${known}.svg` : "favicon.svg");
    if (icon.href !== href) icon.href = href;
    if (wasActive === "1" && active === "0" && document.hidden && window.Notification?.permission === "granted") {
      new Notification(title, { body: $("#story")?.textContent ?? "", tag: location.pathname });
    }
    wasActive = active;
  };
  const fold = (row, shut) => {
    if (!row?.hasAttribute("aria-expanded")) return;
    if (shut) folded.add(row.id); else folded.delete(row.id);
    settle();
  };
  const focus = (row) => {
    if (!row) return;
    for (const other of rows()) if (other.tabIndex === 0) other.tabIndex = -1;
    row.tabIndex = 0;
    row.focus();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-fold]");
    if (button) return fold(button.closest("tr"), !folded.has(button.closest("tr").id));
    const opener = event.target.closest("[data-dialog]");
    if (opener) return document.getElementById(opener.dataset.dialog)?.showModal();
    if (event.target.closest("[data-close]")) return event.target.closest("dialog")?.close();
    const row = event.target.closest("#rows > tr[aria-level]");
    if (row && !event.target.closest("a, button") && !String(getSelection())) $("a", row)?.click();
  });
  document.addEventListener("keydown", (event) => {
    const row = event.target.closest?.("#rows > tr[aria-level]");
    if (!row || event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = rows().filter((r) => !r.hidden);
    const at = shown.indexOf(row);
    const shut = row.getAttribute("aria-expanded") === "false";
    const parent = () => shown.slice(0, at).reverse().find((r) => level(r) < level(row));
    const actions = {
      ArrowDown: () => focus(shown[at + 1]), ArrowUp: () => focus(shown[at - 1]),
      Home: () => focus(shown[0]), End: () => focus(shown.at(-1)),
      ArrowLeft: () => (row.hasAttribute("aria-expanded") && !shut ? fold(row, true) : focus(parent())),
      ArrowRight: () => (shut ? fold(row, false) : focus(shown[at + 1])),
      Enter: () => $("a", row)?.click(),
    };
    actions.j = actions.ArrowDown; actions.k = actions.ArrowUp; actions.h = actions.ArrowLeft; actions.l = actions.ArrowRight;
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
  document.addEventListener("submit", (event) => {
    const dialog = event.target.closest("dialog");
    if (dialog) setTimeout(() => dialog.close());
  });

  /* theme: at once, without a round trip */
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    event.preventDefault();
    const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    document.documentElement.dataset.bsTheme = next;
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
  });

  settle();
})();
