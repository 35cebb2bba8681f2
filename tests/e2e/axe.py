"""axe-core in the page: what it finds, in words."""

from __future__ import annotations

from pathlib import Path

SCRIPT = (Path(__file__).resolve().parents[1] / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page) -> list[str]:
    """Rule and place of everything that axe-core finds in *page* as it is now."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SCRIPT)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [
        f"{page.url} {rule['id']}: {node['target']} {_why(node)}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def _why(node) -> str:
    checks = node["any"] or node["all"] or node["none"]
    return checks[0]["message"] if checks else ""
