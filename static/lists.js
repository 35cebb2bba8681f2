/* Lists: live without moving anything under the cursor, selection of rows, the profile's offers. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const word = (key) => $(`[data-for="${key}"]`, $("#key-words").content)?.textContent ?? key;

  /* rows that come, go or change places wait while somebody points at the list or is in it; all else is shown at once */
  const list = () => $("[data-live]");
  const ids = (root) => $$("tr[id]", root).map((row) => row.id);
  const inUse = (el) => el.matches(":hover") || el.contains(document.activeElement) || picked.size > 0;
  const moved = (was, is) => {
    const before = new Set(was), after = new Set(is);
    const stayed = was.filter((id) => after.has(id));
    const order = is.filter((id) => before.has(id));
    const came = is.length - order.length, left = was.length - stayed.length;  // a new row pushes one off a full page
    return Math.max(came, left) + stayed.filter((id, i) => id !== order[i]).length;
  };
  let forced = false;
  const chip = (count) => {
    let el = $("#news");
    if (!count) return el?.remove();
    if (!el) {
      el = document.createElement("button");
      Object.assign(el, { id: "news", type: "button", className: "btn news" });
      el.setAttribute("aria-live", "polite");
      el.addEventListener("click", show);
      document.body.append(el);
    }
    el.textContent = `${count} ${word(count === 1 ? "w-change" : "w-changes")}, ${word("w-show")}`;
  };
  const show = () => { forced = true; chip(0); if (list()) htmx.trigger(list(), "refresh"); };
  document.addEventListener("htmx:before:swap", (event) => {
    const el = event.target;
    if (!el.matches?.("[data-live]")) return;
    const fresh = new DOMParser().parseFromString(event.detail.ctx.text, "text/html");
    const count = moved(ids(el), ids(fresh));
    if (!forced && count && inUse(el)) { event.preventDefault(); chip(count); return; }
    forced = false;
    chip(0);
  });
  setInterval(() => { if (list() && !document.hidden) htmx.trigger(list(), "refresh"); }, 3000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && list()) htmx.trigger(list(), "refresh"); });

  /* selection: kept by id, so that it survives every update */
  const picked = new Set();
  let anchor = null;
  const boxes = () => $$('[data-row] input[form="bulk"]');
  const paint = () => {
    const bar = $("#bulk");
    if (!bar) return;
    const here = boxes();
    for (const box of here) {
      box.checked = picked.has(box.value);
      box.closest("tr").toggleAttribute("data-picked", box.checked);
    }
    for (const id of picked) if (!here.some((box) => box.value === id)) picked.delete(id);
    const all = $("#bulk-all").checked;
    bar.toggleAttribute("data-some", picked.size > 0 || all);
    const text = `${picked.size} ${word("w-selected")}`;
    if ($("#bulk-count").textContent !== text) $("#bulk-count").textContent = text;
    $("#bulk-count").hidden = all;
    const page = $("[data-pick-page]");
    if (page) {
      page.checked = here.length > 0 && picked.size === here.length;
      page.indeterminate = picked.size > 0 && !page.checked;
    }
  };
  const pick = (box, on) => { if (on) picked.add(box.value); else picked.delete(box.value); };
  const pickTo = (box, on) => {
    const here = boxes();
    const [from, to] = [here.findIndex((b) => b.value === anchor), here.indexOf(box)].sort((a, b) => a - b);
    for (const other of from < 0 ? [box] : here.slice(from, to + 1)) pick(other, on);
  };
  document.addEventListener("click", (event) => {
    const box = event.target.closest('[data-row] input[form="bulk"]');
    if (box) {
      if (event.shiftKey) pickTo(box, box.checked); else pick(box, box.checked);
      anchor = box.value;
      paint();
    } else if (event.target.matches("[data-pick-page]")) {
      for (const other of boxes()) pick(other, event.target.checked);
      paint();
    } else if (event.target.closest("#bulk-none")) {
      picked.clear();
      $("#bulk-all").checked = false;
      (boxes().find((one) => one.value === anchor) ?? boxes()[0])?.focus(); // the bar goes, and the button with it
      paint();
    }
  });
  document.addEventListener("change", (event) => { if (event.target.id === "bulk-all") paint(); });
  document.addEventListener("htmx:after:swap", () => paint());
  for (const box of boxes()) if (box.checked) pick(box, true);
  paint();
  window.apflowLists = {
    pick: (box, range) => {
      const on = !box.checked || range;
      if (range) pickTo(box, on); else pick(box, on);
      anchor = box.value;
      paint();
    },
    all: () => { $("#bulk-all").checked = !$("#bulk-all").checked; paint(); },
    show,
  };

  /* menus close when one looks elsewhere */
  document.addEventListener("click", (event) => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("details.menu[open]");
    if (menu) { menu.open = false; $("summary", menu).focus(); }
  });

  /* profile: the browser's zone, notifications */
  const zone = $("#zone");
  if (zone) {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const offer = $("#zone-offer");
    if (here && zone.value !== here && Array.from(zone.options).some((o) => o.value === here)) {
      $("span", offer).textContent = `${word("w-use")} ${here}`;
      offer.hidden = false;
      offer.addEventListener("click", () => { zone.value = here; zone.form.requestSubmit(); });
    }
  }
  const notify = $("#notify");
  if (notify) {
    const state = () => {
      const now = window.Notification?.permission ?? "denied";
      notify.disabled = now !== "default";
      $("#notify-state").textContent = now === "default" ? "" : word(`w-${now}`);
    };
    notify.addEventListener("click", async () => { await Notification.requestPermission(); state(); });
    state();
  }
})();
