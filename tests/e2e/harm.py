"""What of a hostile text has become more than text in a page."""

from __future__ import annotations

from tests.support_hostile import MARK, PAYLOADS

TEXTS = list(PAYLOADS.values())
TRAP = f"window.{MARK} = () => console.error('a hostile text was run');"
HARM = """() => Array.from(document.querySelectorAll("*"))
  .filter((el) => el.localName === "img" || Array.from(el.attributes).some((one) => /^on/i.test(one.name)
    || (/^(href|src|action|formaction|xlink:href)$/.test(one.name) && /^\\s*javascript:/i.test(one.value))))
  .map((el) => `${location.pathname}: ${el.outerHTML.slice(0, 120)}`)"""


def harm(page):
    """Where in *page*, in words; what was run is a complaint of the window, when the page has the TRAP."""
    found = page.evaluate(HARM)
    if "1337" in page.locator("body").inner_text():  # 7 * 191
        found.append(f"{page.url}: a template was worked out")
    return found
