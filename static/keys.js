/* Keys and the palette. No single key changes anything: each goes somewhere or opens a dialog. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const words = $("#key-words").content;
  const word = (key) => $(`[data-for="${key}"]`, words)?.textContent ?? key;

  /* palette */
  const palette = $("#palette"), input = $("#palette-q"), found = $("#palette-found");
  const options = () => $$('[role="option"][href]', found);
  const choose = (option) => {
    for (const other of options()) other.setAttribute("aria-selected", other === option);
    input.setAttribute("aria-activedescendant", option?.id ?? "");
    option?.scrollIntoView({ block: "nearest" });
  };
  const chosen = () => options().find((o) => o.getAttribute("aria-selected") === "true");
  const openPalette = () => {
    if (palette.open) return;
    palette.showModal();
    input.value = "";
    htmx.trigger(input, "fill");
  };
  document.addEventListener("htmx:after:swap", () => { if (palette.open && !chosen()) choose(options()[0]); });
  input.addEventListener("keydown", (event) => {
    const every = options(), at = every.indexOf(chosen());
    if (event.key === "ArrowDown") choose(every[(at + 1) % every.length]);
    else if (event.key === "ArrowUp") choose(every.at(at - 1));
    else if (event.key === "Enter") chosen()?.click();
    else return;
    event.preventDefault();
  });
  palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });

  /* what a key does, and when it is there at all */
  const rows = () => $$("[data-row]").filter((row) => row.offsetParent);
  const here = () => document.activeElement?.closest?.("[data-row]");
  const enter = (row) => { $("a.name, a", row)?.focus(); row?.scrollIntoView({ block: "nearest" }); };
  const move = (step) => {
    const tree = treeRows();
    if (tree.length) return tree[0] && (tree.find((r) => r.tabIndex === 0) ?? tree[0]).focus();
    const every = rows(), at = every.indexOf(here());
    enter(every[Math.min(every.length - 1, Math.max(0, at < 0 ? 0 : at + step))]);
  };
  const treeRows = () => $$("#rows > tr[aria-level]").filter((row) => !row.hidden);
  const failures = () => treeRows().filter((row) => row.dataset.state === "failed");
  const toFailure = (step) => {
    const every = treeRows(), at = every.indexOf(document.activeElement);
    const ahead = step > 0 ? failures() : failures().reverse();
    const next = ahead.find((row) => (every.indexOf(row) - at) * step > 0) ?? ahead[0];
    if (!next) return;
    for (const row of every) if (row.tabIndex === 0) row.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    next.scrollIntoView({ block: "center" });
  };
  const dialogFor = (name) => $(`[data-key="${name}"], [data-dialog^="${name}"], #run-actions a[href*="/${name}"], main .acts a[href*="/${name}"]`);
  const box = () => here() && $('input[form="bulk"]', here());
  const filter = () => $("[data-filter], main input[type=search]");
  const sections = { o: "/", t: "/trees/", r: "/runs/", q: "/queue/", e: "/executors/", w: "/workers/" };
  const tabs = () => $$("main nav.tabs a").filter((a) => a.offsetParent);
  const priority = () => $("select[name=priority]", here() ?? document.activeElement?.closest("tr") ?? undefined) ?? $("main select[name=priority]");
  const waits = ["ready", "waiting", "blocked", "retrying"];
  const waiting = () => {
    const row = document.activeElement?.closest?.("#rows > tr[aria-level]");
    return row && waits.includes(row.dataset.state) ? row : null;
  };
  const why = () => {
    const row = waiting();
    if (row) return window.apflowPanel?.open(row, ".why") || $("a", row).click();
    $("#task .why [tabindex]").focus();
  };
  const beside = (where) => {
    const own = $('#run-head .strip [aria-current="page"]');
    const to = where === "next" ? own?.nextElementSibling : own?.previousElementSibling;
    if (to) to.click();
  };
  let going = 0, following = false;
  const follow = () => {
    following = !following;
    $("#live")?.toggleAttribute("data-follow", following);
    if (following) { toRunning(); addEventListener("htmx:ws:after:message:incoming", toRunning); }
    else removeEventListener("htmx:ws:after:message:incoming", toRunning);
  };
  const toRunning = () => treeRows().findLast((row) => row.dataset.state === "running")?.scrollIntoView({ block: "center" });
  const always = () => true;
  const onList = () => rows().length > 0 && !treeRows().length;
  const table = [
    { keys: ["/"], shown: ["/"], word: "filter", when: filter, act: () => filter().focus() },
    { keys: ["?"], shown: ["?"], word: "help", when: always, act: () => help() },
    { keys: ["g"], shown: ["g", "o t r q e w"], word: "go", when: always, act: () => { going = Date.now(); } },
    { keys: ["j"], shown: ["j", "k"], word: "move", when: () => rows().length || treeRows().length, act: () => move(1) },
    { keys: ["k"], when: () => rows().length || treeRows().length, act: () => move(-1) },
    { shown: ["↓", "↑", "Home", "End"], word: "rows", when: () => treeRows().length },
    { shown: ["h", "l", "←", "→"], word: "fold", when: () => treeRows().length },
    { shown: ["Shift ←", "Shift →"], word: "foldall", when: () => treeRows().length },
    { shown: ["Enter"], word: "open", when: () => rows().length || treeRows().length },
    { shown: ["o"], word: "panel", when: () => treeRows().length && window.apflowPanel?.fits() },
    { keys: ["w"], shown: ["w"], word: "why", when: () => waiting() || $("#task .why"), act: () => why() },
    { keys: ["p"], shown: ["p"], word: "priority", when: () => priority(), act: () => priority().focus() },
    { keys: ["1", "2", "3", "4", "5"], shown: ["1", "2", "…"], word: "tabs", when: () => tabs().length,
      act: (event) => tabs()[event.key - 1]?.click() },
    { keys: ["["], shown: ["[", "]"], word: "runs", when: () => $("#run-head .strip"), act: () => beside("previous") },
    { keys: ["]"], when: () => $("#run-head .strip"), act: () => beside("next") },
    { keys: ["x", "X"], shown: ["x", "Shift x"], word: "pick", when: () => onList() && $("#bulk"),
      act: (event) => { if (box()) window.apflowLists.pick(box(), event.key === "X"); } },
    { keys: ["a"], shown: ["a"], word: "all", when: () => onList() && $("#bulk"), act: () => window.apflowLists.all() },
    { keys: ["b"], shown: ["b"], word: "bulk", when: () => $("#bulk[data-some]"), act: () => $("#bulk button[name]").focus() },
    { keys: ["u"], shown: ["u"], word: "undo", when: () => $("#b-undo:enabled"), act: () => $("#b-undo").click() },
    { keys: ["r"], shown: ["r"], word: "rerun", when: () => dialogFor("rerun"), act: () => dialogFor("rerun").click() },
    { keys: ["c"], shown: ["c"], word: "cancel", when: () => dialogFor("cancel"), act: () => dialogFor("cancel").click() },
    { keys: ["n"], shown: ["n", "N"], word: "failure", when: () => failures().length, act: () => toFailure(1) },
    { keys: ["N"], when: () => failures().length, act: () => toFailure(-1) },
    { keys: ["f"], shown: ["f"], word: "follow", when: () => $("#run-head")?.dataset.active === "1", act: follow },
    { keys: ["."], shown: ["."], word: "news", when: () => $("#news"), act: () => window.apflowLists.show() },
    { shown: ["Esc"], word: "close", when: always },
  ];
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const line = (shown, text) => {
    const term = document.createElement("dt"), said = document.createElement("dd");
    for (const key of shown) {
      const el = document.createElement("kbd");
      el.textContent = key;
      term.append(el, " ");
    }
    said.textContent = text;
    return [term, said];
  };
  const help = () => {
    const active = table.filter((entry) => entry.shown && entry.when());
    const own = $$("[data-keys-more]").flatMap((el) => Array.from((el.content ?? el).children, (one) => one.cloneNode(true)));
    const first = line([mac ? "⌘ K" : "Ctrl K"], word("palette"));
    $("#keys-list").replaceChildren(...first, ...active.flatMap((entry) => line(entry.shown, word(entry.word))), ...own);
    if (!$("#keys").open) $("#keys").showModal();
  };
  const fields = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
  /* a field of a dialog that was just closed keeps the focus until the next frame: nobody types there any more */
  const typing = (el) => el?.closest?.(fields)?.checkVisibility();
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); return openPalette(); }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
    if (event.key === "Escape" && event.target.matches?.("[data-filter]")) return event.target.blur();
    if (typing(event.target) || $("dialog[open]")) return;
    if (going && Date.now() - going < 1500 && sections[event.key]) return location.assign(sections[event.key]);
    going = 0;
    const entry = table.find((e) => e.keys?.includes(event.key) && e.when());
    if (!entry) return;
    event.preventDefault();
    entry.act(event);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) help();
    const opener = event.target.closest("[data-palette]");
    if (opener && !event.ctrlKey && !event.metaKey) { event.preventDefault(); openPalette(); }
  });
  if (mac) for (const el of $$(".nav-search kbd")) el.textContent = "⌘ K";
})();
