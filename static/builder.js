/* The builder: what forms and links can't do. Keys of the outline, dragging, drawing dependencies. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const root = $("#builder");
  if (!root) return;
  const side = () => $("#b-side");
  const links = () => $$("#b-list a");
  const here = () => links().find((a) => a.hasAttribute("aria-current"));
  const task = () => side().dataset.task;
  const view = () => side().dataset.view;
  let focus = "";

  /* choosing: only what changes is fetched; the address follows. Of choices made while one is on its way only the last counts */
  let asking = false, wanting = null;
  const open = (id, wanted, keep = false) => {
    const url = `${location.pathname}?task=${encodeURIComponent(id)}&view=${encodeURIComponent(wanted)}`;
    const known = document.getElementById(`o-${id}`);
    history.replaceState(history.state, "", url);
    mark(id);
    ask(known ? url : `${url}&lines=1`);
    if (keep) $("a", known ?? undefined)?.focus();
  };
  const ask = async (url) => {
    if (asking) { wanting = url; return; }
    asking = true;
    try { await htmx.ajax("GET", url, { source: root, target: root, swap: "none" }); } finally { asking = false; }
    if (wanting) { url = wanting; wanting = null; ask(url); }
  };
  const mark = (id) => {
    for (const a of links()) {
      const on = a.parentElement.dataset.task === id;
      if (on !== a.hasAttribute("aria-current")) a.toggleAttribute("aria-current", on);
      if (on) { a.setAttribute("aria-current", "true"); a.scrollIntoView({ block: "nearest" }); }
    }
  };
  root.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const line = event.target.closest("#b-list a");
    const go = event.target.closest("[data-go]");
    const tab = event.target.closest("[data-tab]");
    const box = event.target.closest("[data-box]");
    if (!line && !go && !tab && !box) return;
    event.preventDefault();
    if (box && drawing()) return pick(box);
    if (tab) return open(task(), tab.dataset.tab);
    if (line) return open(line.parentElement.dataset.task, view() === "graph" ? "graph" : "task");
    if (go) return open(go.dataset.go, view() === "graph" ? "graph" : "task");
    return open(box.dataset.box, "graph");
  });

  /* after an answer: the outline shows what the side shows, and the focus stays where it was */
  document.addEventListener("htmx:after:swap", () => queueMicrotask(settle));
  const settle = () => {
    used();
    if (wanting) return;
    mark(task());
    const url = `${location.pathname}?task=${encodeURIComponent(task())}&view=${encodeURIComponent(view())}`;
    if (url !== location.pathname + location.search) history.replaceState(history.state, "", url);
    if (focus === "line") here()?.focus();
    if (focus === "name") { $("#id_name")?.focus(); $("#id_name")?.select(); }
    focus = "";
    first = null;
    if (wants) draw(true);
  };

  /* the task is named, not taken from the form: the answer that shows a task chosen a moment ago may still be on its way */
  const press = (op, line) => {
    const button = $(`#b-tools [name="op"][value="${op}"]`), form = $("#b-tools");
    if (!button || !form) return;
    form.elements.task.value = line.parentElement.dataset.task;
    focus = "line";
    button.click();
  };
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

  /* what was typed to add something is used up once it is added; the field waits for the next */
  let sent = "";
  document.addEventListener("submit", (event) => { sent = event.target.id; }, true);
  const used = () => {
    const form = ["b-tools", "b-link", "b-connect"].includes(sent) && document.getElementById(sent);
    sent = "";
    if (!form || $("#notice .notice-error")) return;
    for (const field of $$('input:not([type="hidden"])', form)) { if (field.type === "checkbox") field.checked = false; else field.value = ""; }
  };

  /* keys */
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !typing(event.target)) {
      event.preventDefault();
      focus = event.target.closest("#b-list") ? "line" : "";
      return $(event.shiftKey ? "#b-redo" : "#b-undo")?.click();
    }
    const line = event.target.closest?.("#b-list a");
    if (!line || event.ctrlKey || event.metaKey) return;
    const every = links(), at = every.indexOf(line);
    const to = (target) => { if (target) { target.focus(); open(target.parentElement.dataset.task, view() === "graph" ? "graph" : "task"); } };
    const plain = {
      ArrowDown: () => to(every[at + 1]), ArrowUp: () => to(every[at - 1]),
      Home: () => to(every[0]), End: () => to(every.at(-1)),
      n: () => $("#b-new").focus(), F2: () => toForm(line), Enter: () => toForm(line), Delete: () => press("delete", line),
    };
    const alt = {
      ArrowUp: () => press("up", line), ArrowDown: () => press("down", line),
      ArrowRight: () => press("indent", line), ArrowLeft: () => press("outdent", line),
    };
    const action = (event.altKey ? alt : plain)[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }, true);
  const toForm = (line) => { focus = "name"; open(line.parentElement.dataset.task, "task"); };

  /* dragging tasks in the outline */
  let dragged = null, over = null;
  const clear = () => { over?.classList.remove("drop-before", "drop-after", "drop-inside"); over = null; };
  const where = (row, y) => {
    const box = row.getBoundingClientRect(), part = (y - box.top) / box.height;
    return part < .28 ? "before" : part > .72 ? "after" : "inside";
  };
  root.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("#b-list li");
    if (dragged) { event.dataTransfer.effectAllowed = "move"; event.dataTransfer.setData("text/plain", dragged.dataset.task); }
  });
  root.addEventListener("dragover", (event) => {
    const row = event.target.closest?.("#b-list li");
    if (!dragged || !row || row === dragged) return clear();
    event.preventDefault();
    clear();
    over = row;
    row.classList.add(`drop-${where(row, event.clientY)}`);
  });
  root.addEventListener("drop", (event) => {
    const row = event.target.closest?.("#b-list li");
    if (!dragged || !row || row === dragged) return;
    event.preventDefault();
    const form = $("#b-move");
    form.elements.task.value = dragged.dataset.task;
    form.elements.view.value = view();
    form.elements.target.value = row.dataset.task;
    form.elements.where.value = where(row, event.clientY);
    form.requestSubmit();
  });
  root.addEventListener("dragend", () => { clear(); dragged = null; });

  /* drawing dependencies: two clicks, or a drag from box to box */
  let wants = false, first = null, rubber = null, from = null;
  const drawing = () => wants;
  const draw = (on) => {
    wants = on;
    $("#b-draw")?.setAttribute("aria-pressed", on);
    $(".b-graph")?.classList.toggle("drawing", on);
    if (!on) { first?.classList.remove("first"); first = null; }
  };
  const connect = (a, b) => {
    const form = $("#b-connect");
    form.elements.on.value = a.dataset.box;
    form.elements.waiting.value = b.dataset.box;
    form.requestSubmit();
  };
  const pick = (box) => {
    if (!first) { first = box; box.classList.add("first"); return; }
    if (first !== box) connect(first, box);
    first.classList.remove("first");
    first = null;
  };
  root.addEventListener("click", (event) => { if (event.target.closest("#b-draw")) draw(!wants); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && wants) draw(false); });
  const point = (svg, event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  root.addEventListener("pointerdown", (event) => {
    from = event.button ? null : event.target.closest?.("[data-box]");
  });
  root.addEventListener("pointermove", (event) => {
    const svg = from?.closest(".b-graph");
    if (!svg || !event.buttons) return;
    const end = point(svg, event), box = $("rect", from).getBBox();
    const start = { x: box.x + box.width, y: box.y + box.height / 2 };
    if (!rubber && Math.hypot(end.x - start.x, end.y - start.y) < 12) return;
    if (!rubber) rubber = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    rubber.setAttribute("class", "b-rubber");
    rubber.setAttribute("d", `M${start.x} ${start.y}L${end.x} ${end.y}`);
  });
  addEventListener("pointerup", (event) => {
    const target = event.target.closest?.("[data-box]");
    if (rubber) {
      rubber.remove();
      rubber = null;
      if (target && from && target !== from) connect(from, target);
    }
    from = null;
  });
  root.addEventListener("dragstart", (event) => { if (event.target.closest?.("[data-box]")) event.preventDefault(); }, true);
})();
