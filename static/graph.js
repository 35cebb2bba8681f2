/* The graph: zoom, pan, keys along the lines, and the looks that the server sends. Without it the canvas just scrolls. */
(() => {
  "use strict";
  const view = document.getElementById("graph-canvas");
  const news = document.getElementById("graph-news");
  const svg = () => view.querySelector("svg.graph");
  const boxes = () => Array.from(view.querySelectorAll("a.box"));
  const size = () => { const { width, height } = svg().viewBox.baseVal; return [width, height]; };
  const keyOf = (box) => box.id.slice(2);
  const FAR = 0.3; // below it nobody can read: boxes are plain plates
  const SVG = "http://www.w3.org/2000/svg";
  let zoom = 1;

  /* of a large graph only boxes near the window have their texts laid out; the style hides those of the others */
  let places = null, due = false;
  const look = () => {
    due = false;
    if (!svg().classList.contains("calm")) return;
    places ??= boxes().map((box) => ({ box, x: Number(box.dataset.x), y: Number(box.dataset.y), on: false }));
    const [left, top] = [view.scrollLeft / zoom - 600, view.scrollTop / zoom - 400];
    const [right, bottom] = [left + view.clientWidth / zoom + 1200, top + view.clientHeight / zoom + 800];
    for (const place of places) {
      const on = zoom >= FAR && place.x > left && place.x < right && place.y > top && place.y < bottom;
      if (on === place.on) continue;
      place.box.classList.toggle("on", place.on = on);
      place.box.ariaLabel = on ? null : place.box.firstElementChild.textContent; // without texts it needs a name
    }
  };
  const soon = () => { if (!due) requestAnimationFrame(look); due = true; };
  view.addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);

  /* zoom: the drawing grows, the canvas scrolls; (x, y) is the point of the canvas that stays */
  const set = (to, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    const [width, height] = size();
    const left = svg().getBoundingClientRect().left - view.getBoundingClientRect().left;
    const top = svg().getBoundingClientRect().top - view.getBoundingClientRect().top;
    const next = Math.min(2, Math.max(0.04, to));
    const [px, py] = [(x - left) / zoom, (y - top) / zoom];
    svg().setAttribute("width", width * next);
    svg().setAttribute("height", height * next);
    svg().classList.toggle("far", next < FAR);
    zoom = next;
    view.scrollTo(px * zoom - x, py * zoom - y);
    soon();
  };
  const fitting = () => {
    const [width, height] = size();
    return Math.min(1, view.clientWidth / width, (Math.max(208, 0.74 * innerHeight) - 46) / height);
  };
  const steps = { in: () => set(zoom * 1.25), out: () => set(zoom / 1.25), fit: () => set(fitting()) };
  const centre = (box) => {
    const [x, y] = [Number(box.dataset.x) * zoom, Number(box.dataset.y) * zoom];
    view.scrollTo(x - view.clientWidth / 2 + 106 * zoom, y - view.clientHeight / 2 + 24 * zoom);
  };
  const begin = () => {
    lines = places = null;
    set(Math.max(0.7, fitting()));
    const first = view.querySelector(".box.here") ?? view.querySelector('.box[data-state="failed"]') ?? view.querySelector('.box[data-state="running"]');
    const shown = first ?? boxes()[0];
    if (shown) centre(shown);
    look();
    for (const box of boxes()) box.setAttribute("tabindex", -1);
    rove(shown);
  };
  let roving = null;
  const rove = (box) => {
    if (!box) return;
    roving?.setAttribute("tabindex", -1);
    box.setAttribute("tabindex", 0);
    roving = box;
  };
  document.addEventListener("click", (event) => steps[event.target.closest("[data-zoom]")?.dataset.zoom]?.());
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const at = view.getBoundingClientRect();
    set(zoom * Math.exp(-event.deltaY / 300), event.clientX - at.left, event.clientY - at.top);
  }, { passive: false });

  /* drag */
  let from = null;
  view.addEventListener("pointerdown", (event) => {
    if (event.button || event.pointerType !== "mouse") return;
    from = { x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop, moved: false };
  });
  addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    from.moved ||= Math.abs(x) + Math.abs(y) > 5;
    if (!from.moved) return;
    view.classList.add("dragged");
    view.scrollTo(from.left - x, from.top - y);
  });
  let dragged = false;
  addEventListener("pointerup", () => { dragged = Boolean(from?.moved); from = null; view.classList.remove("dragged"); });
  view.addEventListener("dragstart", (event) => event.preventDefault());
  view.addEventListener("click", (event) => { if (dragged) event.preventDefault(); dragged = false; }, true);

  /* arrows: each an element, or in batches of one kind and outcome, where each begins with the only M of its path */
  let lines = null;
  const read = () => {
    const every = boxes(), batches = Array.from(view.querySelectorAll(".edge[data-ends]"));
    const key = (end) => (end[0] === "k" ? every[end.slice(1)].dataset.block : keyOf(every[end]));
    const kind = (el) => (el.classList.contains("req") ? "req" : "opt");
    const found = Array.from(view.querySelectorAll(".edge[data-a]"), (el) => (
      { a: el.dataset.a, b: el.dataset.b, kind: kind(el), out: el.dataset.out, el }));
    for (const el of batches) {
      const paths = el.getAttribute("d").split("M").slice(1);
      el.dataset.ends.split(" ").forEach((pair, i) => {
        const [a, b] = pair.split("-").map(key);
        found.push({ a, b, kind: kind(el), out: el.dataset.out, path: `M${paths[i]}` });
      });
    }
    lines = { a: new Map(), b: new Map(), all: found, batches: new Map(batches.map((el) => [`${kind(el)} ${el.dataset.out}`, el])) };
    for (const edge of found) {
      for (const end of ["a", "b"]) {
        if (lines[end].has(edge[end])) lines[end].get(edge[end]).push(edge); else lines[end].set(edge[end], [edge]);
      }
    }
  };
  const edges = (side, key) => {
    if (!lines) read();
    return lines[side].get(key) ?? [];
  };
  const draw = (name, classes, out) => {
    const el = document.createElementNS(SVG, "path");
    el.setAttribute("class", classes);
    if (out) el.dataset.out = out;
    document.getElementById("graph-edges").append(el);
    lines.batches.set(name, el);
    return el;
  };
  const redraw = () => {
    const paths = new Map(Array.from(lines.batches.keys(), (name) => [name, []]));
    paths.delete("near");
    for (const { kind, out, path } of lines.all) {
      const name = `${kind} ${out}`;
      if (!paths.has(name)) { paths.set(name, []); draw(name, `edge ${kind}`, out); }
      paths.get(name).push(path);
    }
    for (const [name, parts] of paths) lines.batches.get(name).setAttribute("d", parts.join(""));
  };

  /* keys: left and right along the lines, up and down in the column */
  const ends = (box, side, other) => [keyOf(box), box.dataset.block].filter(Boolean)
    .flatMap((key) => edges(side, key).map((edge) => edge[other]))
    .flatMap((key) => (key[0] === "k" ? boxes().filter((b) => b.dataset.block === key) : [document.getElementById(`g-${key}`)]));
  const nearest = (box, found) => {
    const far = (b) => Math.hypot(b.dataset.x - box.dataset.x, 2 * (b.dataset.y - box.dataset.y));
    return found.filter(Boolean).sort((a, b) => far(a) - far(b) || a.dataset.y - b.dataset.y)[0];
  };
  const beside = (box, sign) => nearest(box, boxes().filter((b) => Math.abs(b.dataset.x - box.dataset.x) < 100 && sign * (b.dataset.y - box.dataset.y) > 0));
  const moves = {
    ArrowRight: (box) => nearest(box, ends(box, "a", "b")), ArrowLeft: (box) => nearest(box, ends(box, "b", "a")),
    ArrowUp: (box) => beside(box, -1), ArrowDown: (box) => beside(box, 1), Home: () => boxes()[0], End: () => boxes().at(-1),
  };
  const zooms = { "+": steps.in, "=": steps.in, "-": steps.out, 0: steps.fit };
  view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const box = event.target.closest("a.box");
    if (zooms[event.key]) { event.preventDefault(); return zooms[event.key](); }
    if (!box) return;
    if (event.key === "n" && /^[0-9a-f]{32}$/.test(keyOf(box))) return location.assign(`${location.pathname}?around=${keyOf(box)}`);
    if (!moves[event.key]) return;
    event.preventDefault();
    const next = moves[event.key](box);
    if (!next) return;
    next.focus({ preventScroll: true });
    const [a, b] = [next.getBoundingClientRect(), view.getBoundingClientRect()];
    if (a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom) centre(next);
  });
  const near = (box, on) => {
    const keys = box ? [keyOf(box), box.dataset.block].filter(Boolean) : [];
    const found = keys.flatMap((key) => [...edges("a", key), ...edges("b", key)]);
    for (const { el } of found) el?.classList.toggle("near", on);
    const paths = found.filter((edge) => edge.path).map((edge) => edge.path);
    if (paths.length) (lines.batches.get("near") ?? draw("near", "edge near")).setAttribute("d", on ? paths.join("") : "");
  };
  view.addEventListener("focusin", (event) => { const box = event.target.closest("a.box"); if (box) { rove(box); near(box, true); } });
  view.addEventListener("focusout", (event) => near(event.target.closest("a.box"), false));
  view.addEventListener("mouseover", (event) => near(event.target.closest("a.box"), true));
  view.addEventListener("mouseout", (event) => { const box = event.target.closest("a.box"); if (box !== document.activeElement) near(box, false); });

  /* news: {box: [state, word, text, running since, percent, outcome]} */
  let stale = false; // a batch holds an arrow that now means something else
  const tell = (edge, outcome) => {
    if (edge.out === outcome) return;
    edge.out = outcome;
    if (!edge.el) { stale = true; return; }
    edge.el.dataset.out = outcome;
    const title = edge.el.firstElementChild;
    const verdict = news.dataset[`${edge.kind}-${outcome}`.replace(/-./, (c) => c[1].toUpperCase())];
    if (title) title.textContent = `${title.textContent.slice(0, title.textContent.lastIndexOf(" — "))} — ${verdict}`;
  };
  const listed = new Map(Array.from(document.querySelectorAll("[data-l]"), (said) => [said.dataset.l, said]));
  const write = (el, text) => { if (el.textContent !== text) el.textContent = text; };
  const bar = (box, percent) => {
    let done = box.querySelector(".done");
    if (!done && percent) {
      done = document.createElementNS(SVG, "rect");
      for (const [name, value] of Object.entries({ class: "done", x: Number(box.dataset.x) + 7, y: Number(box.dataset.y) + 44, height: 3 })) done.setAttribute(name, value);
      box.querySelector(".plate").after(done);
    }
    done?.setAttribute("width", 1.98 * percent);
  };
  const paint = (key, [state, word, text, since, percent, outcome]) => {
    for (const edge of edges("a", key)) tell(edge, outcome);
    const box = document.getElementById(`g-${key}`);
    if (!box || !state) return;
    const took = box.querySelector(".took");
    if (box.dataset.state !== state) {
      box.dataset.state = state;
      box.querySelector(".shape").setAttribute("href", `#g-${state}`);
    }
    write(box.querySelector(".say"), word);
    if (!since || !took.dataset.since) write(took, text);
    if (since) took.dataset.since = since; else if (took.dataset.since) delete took.dataset.since;
    bar(box, percent);
    const all = `${box.dataset.name}: ${word} ${text}`.trim();
    write(box.querySelector("title"), all);
    if (box.ariaLabel) box.ariaLabel = all;
    const said = listed.get(key);
    if (said) write(said, word);
  };
  const apply = (data) => {
    for (const [key, how] of Object.entries(JSON.parse(data.value))) paint(key, how);
    if (stale) redraw();
    stale = false;
  };
  new MutationObserver((records) => {
    for (const record of records) for (const node of record.addedNodes) if (node.nodeName === "DATA") apply(node);
  }).observe(news, { childList: true });
  new MutationObserver(begin).observe(view, { childList: true });
  begin();
})();
