"""The same stories by several hands: with the mouse, by keys alone, on a phone, without JavaScript.

A hand knows how to press, write, choose and tick; a story knows what.
"""

from __future__ import annotations

from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
POINTED = """addEventListener("pointerdown", (event) => console.error("a pointer was used"), true);"""
TABS = 150  # far enough for any page, and an end when nothing of the sort can be reached
SEEN = """(el) => {
  const style = getComputedStyle(el);
  const box = el.closest("svg a")?.querySelector(".plate, rect");
  if (box) return getComputedStyle(box).strokeWidth !== "0px";
  return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none"
    || Boolean(el.closest(".palette-top"));
}"""


class Mouse:
    """Clicks."""

    options: dict = {}

    def __init__(self, page):
        self.page = page

    def press(self, target):
        target.click()

    def write(self, target, text):
        target.fill(text)

    def choose(self, target, label):
        target.select_option(label=label)

    def tick(self, target):
        target.check()

    def run_tree(self, name):
        """From the list of trees; ends on the page of the run."""
        self.page.goto(f"/trees/?q={name}")
        self.press(self.page.get_by_role("button", name=f"Run {name}", exact=True))
        self.page.wait_for_url("**/runs/*")

    def open_row(self, name):
        """The page of a task, from the rows of the run page."""
        link = self.page.locator("#rows").get_by_role("link", name=name, exact=True)
        self.press(link)
        if self.page.locator("#task-panel").is_visible():
            self.press(self.page.get_by_role("link", name="Open the full page"))
        self.page.wait_for_url("**/tasks/**")

    def select_all_that_match(self):
        """The bar with the box comes with the first row that is chosen."""
        self.tick(self.page.locator("[data-row] input").first)
        self.tick(self.page.get_by_label("that match"))


class Phone(Mouse):
    """Taps on 390 pixels, where nothing may stick out."""

    options = PHONE

    def press(self, target):
        wide = target.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px too wide"
        target.tap()

    def tick(self, target):
        target.tap()
        expect(target).to_be_checked()


class Plain(Mouse):
    """Clicks in a browser that runs no script."""

    options = {"java_script_enabled": False}


class Keys(Mouse):
    """Keys alone: Tab to whatever is wanted, as far as it takes; the focus must be seen there."""

    def __init__(self, page):
        super().__init__(page)
        page.context.add_init_script(POINTED)

    def key(self, *names):
        for name in names:
            self.page.keyboard.press(name)

    def reach(self, target):
        """Tab until *target* has the focus: from the top of the page by the link that skips the navigation."""
        expect(target).to_be_attached()
        for _ in range(TABS):
            if target.evaluate("(el) => el === document.activeElement"):
                break
            self.key("Tab")
            if self.page.evaluate("document.activeElement.matches('a.skip')"):
                self.key("Enter")
        else:
            raise AssertionError(f"{TABS} times Tab do not lead to {target} on {self.page.url}")
        assert target.evaluate(SEEN), f"the focus on {target} of {self.page.url} cannot be seen"

    def press(self, target):
        expect(target).to_be_visible()
        self.reach(target)
        self.key("Enter")

    def write(self, target, text):
        self.reach(target)
        self.key("Control+a")
        if text:
            self.page.keyboard.type(text)
        else:
            self.key("Delete")

    def choose(self, target, label):
        self.reach(target)
        self.page.keyboard.type(label[:6])
        expect(target.locator("option:checked")).to_have_text(label)

    def tick(self, target):
        self.reach(target)
        self.key("Space")
        expect(target).to_be_checked()

    def open_row(self, name):
        """j and k to the row, Enter."""
        row = self.page.locator("#rows tr[aria-level]").filter(has=self.page.get_by_role("link", name=name, exact=True))
        for _ in range(TABS):
            self.key("j")
            if row.evaluate("(el) => el === document.activeElement"):
                break
        self.key("Enter")
        self.page.wait_for_url("**/tasks/**")

    def select_all_that_match(self):
        self.key("a")
