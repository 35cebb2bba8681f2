/* The graph: zoom, pan, keys along the lines, and the looks that the server sends. Without it the canvas just scrolls. */
(() => {
  "use strict";
  const view = document.getElementById("graph-canvas");
  const news = document.getElementById("graph-news");
  const svg = () => view.querySelector("svg.graph");
  const boxes = () => Array.from(view.querySelectorAll("a.box"));
  const size = () => { const { width, height } = svg().viewBox.baseVal; return [width, height]; };
  const keyOf = (box) => box.id.slice(2);
  let zoom = 1;

  /* zoom: the drawing grows, the canvas scrolls; (x, y) is the point of the canvas that stays */
  const set = (to, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    const [width, height] = size();
    const left = svg().getBoundingClientRect().left - view.getBoundingClientRect().left;
    const top = svg().getBoundingClientRect().top - view.getBoundingClientRect().top;
    const next = Math.min(2, Math.max(0.04, to));
    const [px, py] = [(x - left) / zoom, (y - top) / zoom];
    svg().setAttribute("width", width * next);
    svg().setAttribute("height", height * next);
    zoom = next;
    view.scrollTo(px * zoom - x, py * zoom - y);
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
    set(Math.max(0.7, fitting()));
    const first = view.querySelector(".box.here") ?? view.querySelector('.box[data-state="failed"]') ?? view.querySelector('.box[data-state="running"]');
    const shown = first ?? boxes()[0];
    if (shown) centre(shown);
    rove(shown);
  };
  const rove = (box) => {
    if (!box) return;
    for (const other of boxes()) other.setAttribute("tabindex", other === box ? 0 : -1);
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

  /* keys: left and right along the lines, up and down in the column */
  const edges = (attribute, key) => view.querySelectorAll(`.edge[data-${attribute}="${CSS.escape(key)}"]`);
  const ends = (box, side, other) => [keyOf(box), box.dataset.block].filter(Boolean)
    .flatMap((key) => Array.from(edges(side, key), (edge) => edge.dataset[other]))
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
    for (const key of box ? [keyOf(box), box.dataset.block].filter(Boolean) : []) {
      for (const edge of [...edges("a", key), ...edges("b", key)]) edge.classList.toggle("near", on);
    }
  };
  view.addEventListener("focusin", (event) => { const box = event.target.closest("a.box"); if (box) { rove(box); near(box, true); } });
  view.addEventListener("focusout", (event) => near(event.target.closest("a.box"), false));
  view.addEventListener("mouseover", (event) => near(event.target.closest("a.box"), true));
  view.addEventListener("mouseout", (event) => { const box = event.target.closest("a.box"); if (box !== document.activeElement) near(box, false); });

  /* news: {box: [state, word, text, running since, percent, outcome]} */
  const tell = (edge, outcome) => {
    if (edge.dataset.out === outcome) return;
    edge.dataset.out = outcome;
    const kind = edge.classList.contains("req") ? "req" : "opt";
    const title = edge.firstElementChild;
    if (title) title.textContent = `${title.textContent.slice(0, title.textContent.lastIndexOf(" — "))} — ${news.dataset[`${kind}-${outcome}`.replace(/-./, (c) => c[1].toUpperCase())]}`;
  };
  const paint = (key, [state, word, text, since, percent, outcome]) => {
    for (const edge of edges("a", key)) tell(edge, outcome);
    const box = document.getElementById(`g-${key}`);
    if (!box || !state) return;
    const took = box.querySelector(".took");
    box.dataset.state = state;
    box.querySelector(".shape").setAttribute("href", `#g-${state}`);
    box.querySelector(".say").textContent = word;
    if (!since || !took.dataset.since) took.textContent = text;
    if (since) took.dataset.since = since; else delete took.dataset.since;
    box.querySelector(".done").setAttribute("width", 1.98 * percent);
    box.querySelector("title").textContent = `${box.dataset.name}: ${word} ${text}`.trim();
    const said = document.querySelector(`[data-l="${CSS.escape(key)}"]`);
    if (said) said.textContent = word;
  };
  const apply = (data) => { for (const [key, look] of Object.entries(JSON.parse(data.value))) paint(key, look); };
  new MutationObserver((records) => {
    for (const record of records) for (const node of record.addedNodes) if (node.nodeName === "DATA") apply(node);
  }).observe(news, { childList: true });
  new MutationObserver(begin).observe(view, { childList: true });
  begin();
})();
