"""On a phone: 390 pixels, by touch."""

from __future__ import annotations

import pytest

from tests.e2e.hands import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture
def phone(window):
    return window(**PHONE)


def test_the_menu_leads_everywhere(phone):
    phone.goto("/")
    for name in ("Trees", "Runs", "Queue", "Executors", "Workers", "Operations"):
        phone.get_by_label("Menu").tap()
        phone.get_by_role("navigation", name="Main").get_by_role("link", name=name).tap()
        expect(phone.get_by_role("heading", level=1)).to_be_visible()
        expect(phone.get_by_role("navigation", name="Main")).to_be_hidden()


def test_several_rows_are_acted_on(phone):
    phone.goto("/trees/?q=report")
    for index in range(2):
        phone.locator("[data-row] input").nth(index).tap()
    phone.get_by_role("button", name="Copy…").tap()
    phone.get_by_role("button", name="Copy 2 trees").tap()
    expect(phone.locator("#operation")).to_contain_text("2 done", timeout=30_000)
