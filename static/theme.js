/* Before the first paint: the chosen theme (cookie, rendered by the server), else the system's. */
(() => {
  const root = document.documentElement;
  if (!root.dataset.bsTheme) {
    root.dataset.bsTheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  root.classList.add("js");
})();
