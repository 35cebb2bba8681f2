/* Comfort on top of plain links and forms: choices that submit themselves, and the task beside its run. */
(() => {
  "use strict";
  const wide = matchMedia("(min-width: 1200px)");
  const panel = () => document.getElementById("task-panel");

  document.addEventListener("change", (event) => {
    const field = event.target.closest("[data-autosubmit]");
    if (field?.form) field.form.requestSubmit();
  });

  /* one menu open at a time; Escape closes it */
  const shut = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
  };
  document.addEventListener("click", (event) => shut(event.target.closest("details.menu")));

  const close = () => {
    const aside = panel();
    if (!aside || aside.hidden) return false;
    aside.hidden = true;
    aside.replaceChildren();
    document.getElementById("split")?.classList.remove("open");
    document.querySelector("#rows tr.shown")?.classList.remove("shown");
    return true;
  };
  const show = (row, link) => {
    const aside = panel();
    const url = new URL(link.href);
    url.pathname = `${url.pathname.replace(/\/$/, "")}/panel`;
    document.getElementById("split").classList.add("open");
    aside.hidden = false;
    for (const old of document.querySelectorAll("#rows tr.shown")) old.classList.remove("shown");
    row.classList.add("shown");
    htmx.ajax("GET", url.pathname + url.search, { target: "#task-panel", swap: "innerHTML" });
  };
  /* a real click of the mouse; Enter, new tabs and narrow screens go to the page of the task */
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-panel-close]")) return void close();
    const row = event.target.closest("#rows > tr[aria-level]");
    const link = row?.querySelector("a[href]");
    if (!link || !panel() || !wide.matches || !event.isTrusted || !event.detail || event.button) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.target.closest("button, input")) return;
    if (String(getSelection())) return;
    event.preventDefault();
    event.stopPropagation();
    show(row, link);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { shut(); close(); return; }
    const row = event.target.closest?.("#rows > tr[aria-level]");
    if (event.key !== "o" || !row || event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
    const link = row.querySelector("a[href]");
    if (!link || !panel() || !wide.matches) return;
    event.preventDefault();
    show(row, link);
  });
})();
