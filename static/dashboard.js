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
  /* what runs turns with the clocks: an animation has the browser make sixty pictures a second, however few differ */
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  let turned = new Set();
  const pose = (el, degrees) => {
    if (el.nodeName !== "use") { el.style.transform = `rotate(${degrees}deg)`; return; }
    const middle = (from, size) => Number(el.getAttribute(from)) + Number(el.getAttribute(size)) / 2;
    el.setAttribute("transform", `rotate(${degrees} ${middle("x", "width")} ${middle("y", "height")})`);
  };
  const turn = () => {
    const degrees = (Math.floor(Date.now() / 500) % 8) * 45;
    const running = "svg.glyph.s-running:not(.filters *), svg.graph:not(.calm) .box[data-state=running] .shape";
    const now = new Set(stillness.matches ? [] : $$(running));
    for (const el of turned) if (!now.has(el)) pose(el, 0);
    for (const el of now) pose(el, degrees);
    turned = now;
  };
  const tick = () => {
    turn();
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
    for (const bar of $$("svg.tl [data-s]")) {
      const { s, e, p } = bar.dataset;
      const x = Math.min(996, Math.max(0, (Number(s) - start) * scale));
      const width = Math.min(1000 - x, Math.max(4, ((Number(e) || now) - Number(s)) * scale)) * Number(p ?? 1);
      if (bar.nodeName === "path") { bar.setAttribute("d", `M${x} 7V1H${x + width}V7`); continue; }
      bar.setAttribute("x", x);
      bar.setAttribute("width", width);
    }
  };
  tick();
  setInterval(tick, 500);
  setInterval(() => { if ($("#run-head")?.dataset.active === "1") stretch(); }, 1000);

  /* liveness: what the page shows is live, catching up, polled, or old */
  const badge = $("#live");
  let heard = 0, failures = 0, poller = 0, polled = false;
  const seq = () => $("#run-head")?.dataset.seq ?? "";
  const show = (state, text) => {
    if (!badge) return;
    badge.dataset.live = state;
    write(badge, `${text} · #${seq()}`);
  };
  const ended = () => $("#run-head")?.dataset.active === "0";
  const poll = (on) => {
    polled &&= on;
    if (on && !poller) poller = setInterval(() => { if (!document.hidden) htmx.trigger("#poll", "poll"); }, 3000);
    if (!on && poller) poller = clearInterval(poller) || 0;
  };
  document.addEventListener("htmx:ws:after:connection", () => { heard = Date.now(); show("catching", "catching up"); });
  document.addEventListener("htmx:ws:after:message:incoming", () => {
    heard = Date.now(); failures = 0; poll(false); settle();
    show("live", ended() ? "ended, up to date" : "live");
  });
  document.addEventListener("htmx:ws:close", (event) => {
    const code = event.detail.code;
    if (code === 4403) return show("offline", "signed out: reload the page");
    if (code === 4404) return show("offline", "this run is gone");
    if (event.detail.reason === "removed") return;
    if (ended()) return poll(false); // nothing more will come
    failures += 1;
    if (!polled) show("offline", "offline, reconnecting");
    poll(failures > 2);
  });
  /* a socket may be neither opened nor refused: by a firewall, or by a browser that has seen too many refused */
  setTimeout(() => { if (badge?.dataset.live === "still" && $("#poll") && !ended()) poll(true); }, 5000);
  for (const trouble of ["htmx:error", "htmx:response:error"]) {
    document.addEventListener(trouble, (event) => {
      if (event.target.id !== "poll") return;
      behind = false;
      if (!poller) return;
      polled = false;
      show("offline", "offline, reconnecting");
    });
  }
  setInterval(() => {
    if (badge?.dataset.live === "live" && !ended() && Date.now() - heard > 15000) show("catching", "no news for 15 s, checking");
  }, 5000);

  setInterval(() => { const told = $("#announce"); if (told) write(told, $("#story")?.textContent ?? ""); }, 10000);

  /* polled fragments rest while nobody looks */
  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden && event.target.matches?.("[data-poll]")) event.preventDefault();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    settle();
    if (!poller || event.target.id !== "poll") return;
    polled = true;
    if (ended()) { poll(false); show("live", "ended, up to date"); } else show("polling", "polling");
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
    forward();
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
  /* an answer can be overtaken by the news of the socket: what it says is older then, and the page asks once more */
  let newest = 0, behind = false;
  const forward = () => {
    const number = Number(seq());
    if (number >= newest) { newest = number; behind = false; return; }
    if (!behind) htmx.trigger("#poll", "poll");
    behind = true;
  };
  const fold = (row, shut) => {
    if (!row?.hasAttribute("aria-expanded")) return;
    if (shut) folded.add(row.id); else folded.delete(row.id);
    settle();
  };
  const foldAll = (shut, row) => {
    const own = level(row);
    for (const one of rows()) {
      if (!one.hasAttribute("aria-expanded")) continue;
      if (!shut) folded.delete(one.id); else if (level(one) > 1) folded.add(one.id);
    }
    settle();
    if (shut && own > 2) queueMicrotask(() => focus(rows().slice(0, rows().indexOf(row)).findLast((one) => !one.hidden)));
  };
  const focus = (row) => {
    if (!row) return;
    for (const other of rows()) if (other.tabIndex === 0) other.tabIndex = -1;
    row.tabIndex = 0;
    row.focus();
  };
  /* at the end of a window keys go on in the next one */
  const onward = (row, rel) => {
    const link = row ? null : $(`#pager a[rel="${rel}"]`);
    if (link) location.assign(`${link.href}#${rel === "next" ? "first" : "last"}-row`);
    focus(row);
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
      ArrowDown: () => onward(shown[at + 1], "next"), ArrowUp: () => onward(shown[at - 1], "prev"),
      Home: () => focus(shown[0]), End: () => focus(shown.at(-1)),
      ArrowLeft: () => (row.hasAttribute("aria-expanded") && !shut ? fold(row, true) : focus(parent())),
      ArrowRight: () => (shut ? fold(row, false) : focus(shown[at + 1])),
      Enter: () => $("a", row)?.click(),
    };
    if (event.shiftKey) Object.assign(actions, { ArrowLeft: () => foldAll(true, row), ArrowRight: () => foldAll(false, row) });
    actions.j = actions.ArrowDown; actions.k = actions.ArrowUp; actions.h = actions.ArrowLeft; actions.l = actions.ArrowRight;
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
  /* focus that lost its element goes to what took its place, else to the nearest that is left around it */
  let trail = [];
  document.addEventListener("focusin", (event) => {
    trail = [];
    for (let el = event.target; el && el !== document.body; el = el.parentElement) trail.push(el);
  });
  const stops = "a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, textarea:enabled, summary, [tabindex='0']";
  const seen = (el) => el.isConnected && el.checkVisibility({ visibilityProperty: true });
  const hold = () => {
    const [lost] = trail;
    if (!lost || document.activeElement !== document.body || seen(lost)) return;
    const again = lost.id && document.getElementById(lost.id);
    const around = trail.find(seen);
    const near = around && around.id !== "main" ? $$(stops, around).find(seen) : null;
    (again && seen(again) ? again : near || $("#main")).focus({ preventScroll: true });
  };
  /* a dialog whose inside has come: on the choice that changes nothing */
  const enter = () => {
    const dialog = $("dialog[open]");
    if (dialog && !$(":focus", dialog)) $("[data-close]", dialog)?.focus();
  };
  document.addEventListener("htmx:after:swap", () => { enter(); setTimeout(hold); });
  document.addEventListener("htmx:ws:after:message:incoming", () => setTimeout(hold));
  document.addEventListener("click", () => requestAnimationFrame(() => requestAnimationFrame(hold))); // what was pressed may be gone
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
  const wanted = new URLSearchParams(location.search).get("row");
  if (wanted) focus(rows().find((row) => row.getAttribute("aria-rowindex") === wanted) ?? rows()[0]);
  if (/^#(first|last)-row$/.test(location.hash)) {
    focus(rows().at(location.hash === "#first-row" ? 0 : -1));
    history.replaceState(null, "", location.pathname + location.search);
  }
})();
