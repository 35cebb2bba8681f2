"""Every page, opened once and asked for all that holds on each: texts that people and tasks wrote stay texts, no rule
of axe-core is broken in either theme, and on a phone nothing sticks out."""

from __future__ import annotations

import pytest
from django.urls import resolve

from tests.e2e import axe
from tests.e2e.hands import PHONE
from tests.e2e.harm import TEXTS, TRAP, harm
from tests.e2e.pages import PAGES, make
from tests.support_hostile import MARK
from tests.support_routes import page_patterns

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONG = ["a" * 200, "a name that is not short and has many words in it " * 4]
WIDTH = PHONE["viewport"]["width"]
STICKS_OUT = f"""async () => {{
  while (!matchMedia("(width: {WIDTH}px) and (pointer: coarse)").matches) await new Promise(requestAnimationFrame);
  return document.documentElement.scrollWidth > {WIDTH};
}}"""


class Asked:
    """A page of a desk; it becomes that of a phone only while it is asked what sticks out, for to open it a second
    time would cost more than all questions but one."""

    def __init__(self, page):
        page.add_init_script(TRAP)
        axe.bring(page)
        self.page = page
        self._device = page.context.new_cdp_session(page)

    def sticks_out(self):
        wide = self._as(PHONE["viewport"], phone=True).evaluate(STICKS_OUT)
        self._as(self.page.viewport_size, phone=False)
        return [f"{self.page.url}: something sticks out on a phone"] if wide else []

    def _as(self, size, *, phone):
        self._device.send("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 1, "mobile": phone})
        self._device.send("Emulation.setTouchEmulationEnabled", {"enabled": phone})
        return self.page


@pytest.fixture(scope="module")
def ids(server):
    return make(server, [*TEXTS, *LONG])


@pytest.fixture
def asked(window):
    return Asked(window())


def test_every_page_is_looked_at(ids):
    looked_at = {resolve(page.format(**ids).partition("?")[0]).url_name for page in PAGES}
    assert {pattern.name for pattern in page_patterns()} == looked_at


def test_no_page_does_harm_breaks_a_rule_or_scrolls_sideways(asked, ids, window):
    found, shown = [], 0
    window.forgive("status of 404")  # /nowhere
    for address in (*PAGES, "/nowhere"):
        asked.page.goto(address.format(**ids))
        shown += MARK in asked.page.locator("#main").text_content()
        found += [*harm(asked.page), *axe.violations(asked.page), *asked.sticks_out()]
    assert not found, "\n".join(found)
    assert shown > 30  # the pages do show the texts


def test_what_sticks_out_is_seen(asked):
    asked.page.goto("/")
    assert asked.sticks_out() == []
    asked.page.evaluate(f"document.querySelector('h1').style.minWidth = '{WIDTH + 1}px'")
    assert asked.sticks_out() != []
