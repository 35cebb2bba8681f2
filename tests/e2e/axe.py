"""axe-core in the page: what it finds, in words."""

from __future__ import annotations

from pathlib import Path

SCRIPT = (Path(__file__).resolve().parents[1] / "vendor" / "axe.min.js").read_text()
COLOURS = ["color-contrast", "link-in-text-block"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


IN_BOTH = """async ({rules, colours}) => {
  const root = document.documentElement, theme = root.dataset.bsTheme;
  const usual = {resultTypes: ["violations"], preload: false};  // preload: for rules on films and experimental ones
  const run = async (only) => (await axe.run(document, {...usual, runOnly: only})).violations;
  const found = {[theme]: await run(rules)};
  const other = root.dataset.bsTheme = theme === "dark" ? "light" : "dark";
  found[other] = await run({type: "rule", values: colours});
  root.dataset.bsTheme = theme;
  return found;
}"""


def bring(page) -> None:
    """Have axe-core in every page that *page* shows from now on: it costs much to send it to each."""
    page.add_init_script(SCRIPT)


def violations(page) -> list[str]:
    """Rule and place of everything that axe-core finds in *page* as it is now: all rules in the theme that it has, and
    in the other one those that colours can break. Have the page ask for reduced motion: colours that still change would
    be looked at half way."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SCRIPT)
    found = page.evaluate(IN_BOTH, {"rules": RULES, "colours": COLOURS})
    return [
        f"{page.url} ({theme}) {rule['id']}: {node['target']} {_why(node)}"
        for theme, rules in found.items()
        for rule in rules
        for node in rule["nodes"]
    ]


def _why(node) -> str:
    checks = node["any"] or node["all"] or node["none"]
    return checks[0]["message"] if checks else ""
