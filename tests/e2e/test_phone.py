"""The main story on a phone: 390 pixels."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
PAGES = ("/", "/trees/?all=1", "/runs/?all=1", "/queue/", "/executors/", "/executors/http/try", "/workers/", "/me",
         "/operations/", "/palette?q=re", "/bulk/trees?action=copy&all=1")  # fmt: skip


@pytest.fixture
def phone(window):
    page = window()
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def test_no_page_scrolls_sideways(phone):
    wide = []
    for address in PAGES:
        phone.goto(address)
        if phone.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(address)
    assert wide == []


def test_a_tree_is_found_run_and_watched(phone):
    phone.goto("/")
    phone.get_by_label("Menu").click()
    phone.get_by_role("navigation", name="Main").get_by_role("link", name="Trees").click()
    phone.get_by_label("Search trees by name").fill("health report")
    phone.keyboard.press("Enter")
    expect(phone.locator("[data-row]")).to_have_count(1)
    phone.get_by_role("button", name="Run Server health report").click()
    phone.wait_for_url(re.compile(r"/runs/\d+"))
    expect(phone.locator("#story")).to_contain_text("Completed", timeout=30_000)
    assert not phone.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_several_rows_are_acted_on(phone):
    phone.goto("/trees/?q=report")
    for index in range(2):
        phone.locator("[data-row] input").nth(index).click()
    phone.get_by_role("button", name="Copy…").click()
    phone.get_by_role("button", name="Copy 2 trees").click()
    expect(phone.locator("#operation")).to_contain_text("2 done", timeout=30_000)
