/* Comfort on top of plain links and forms: choices that submit themselves, and the task beside its run. */
(() => {
  "use strict";
  const wide = matchMedia("(min-width: 1200px)");
  const panel = () => document.getElementById("task-panel");

  /* A choice made with the pointer, or a box that was ticked, submits itself. Keys pass choices on the way to the one
     that is meant: they wait for Enter or the button. */
  let keyed = false;
  document.addEventListener("keydown", () => { keyed = true; }, true);
  document.addEventListener("pointerdown", () => { keyed = false; }, true);
  const place = (field) => JSON.stringify([field.name, field.value]);
  document.addEventListener("change", (event) => {
    const field = event.target.closest("[data-autosubmit]");
    if (!field?.form) return;
    if (keyed && field.type !== "checkbox") return field.form.querySelector("button.no-js")?.classList.remove("no-js");
    sessionStorage.setItem("place", place(field));
    field.form.requestSubmit();
  });
  document.addEventListener("keydown", (event) => {
    const field = event.key === "Enter" && event.target.closest("[data-autosubmit]");
    if (!field?.form || field.type === "checkbox") return;
    event.preventDefault();
    sessionStorage.setItem("place", place(field));
    field.form.requestSubmit();
  });
  /* the page that answers begins where the choice was made */
  const chosen = sessionStorage.getItem("place");
  if (chosen) {
    sessionStorage.removeItem("place");
    const fields = document.querySelectorAll("[data-autosubmit]");
    Array.from(fields).find((field) => place(field) === chosen)?.focus();
  }

  /* one menu open at a time; Escape closes it */
  const shut = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
  };
  document.addEventListener("click", (event) => shut(event.target.closest("details.menu")));

  const close = () => {
    const aside = panel();
    if (!aside || aside.hidden) return;
    const row = document.querySelector("#rows tr.shown");
    if (aside.contains(document.activeElement)) row?.focus();
    aside.hidden = true;
    aside.replaceChildren();
    document.getElementById("split")?.classList.remove("open");
    row?.classList.remove("shown");
  };
  const show = async (row, link, part = "") => {
    const aside = panel();
    const url = new URL(link.href);
    url.pathname = `${url.pathname.replace(/\/$/, "")}/panel`;
    document.getElementById("split").classList.add("open");
    aside.hidden = false;
    for (const old of document.querySelectorAll("#rows tr.shown")) old.classList.remove("shown");
    row.classList.add("shown");
    await htmx.ajax("GET", url.pathname + url.search, { target: "#task-panel", swap: "innerHTML" });
    if (!part || !row.classList.contains("shown")) return;
    (aside.querySelector(`${part} [tabindex], ${part} a[href]`) ?? aside.querySelector("a[href]"))?.focus();
  };
  /* opened by a key, the panel gets the focus: `part` says which of it */
  const open = (row, part) => {
    const link = row.querySelector("a[href]");
    if (!link || !fits()) return false;
    show(row, link, part);
    return true;
  };
  const fits = () => Boolean(panel()) && wide.matches;
  window.apflowPanel = { fits, open };
  /* a real click of the mouse; Enter, new tabs and narrow screens go to the page of the task */
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-panel-close]")) return void close();
    const row = event.target.closest("#rows > tr[aria-level]");
    const link = row?.querySelector("a[href]");
    if (!link || !fits() || !event.isTrusted || !event.detail || event.button) return;
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
    if (open(row, ".panel-head")) event.preventDefault();
  });
})();
